"""Logging in to a cloud started by `up`, for the programs beside this one."""
import re

from keystoneauth1 import loading, session


def log_in(directory, user):
    """The address of Glance, and a session of that user."""
    rc = dict(re.findall(r"OS_(\w+)=(\S+)", open(f"{directory}/{user}.rc").read()))
    glance = re.search(r"^GLANCE_URL=(\S+)", open(f"{directory}/env").read(), re.M)[1]
    password = loading.get_plugin_loader("password").load_from_options(
        auth_url=rc["AUTH_URL"], username=rc["USERNAME"], password=rc["PASSWORD"],
        project_name=rc["PROJECT_NAME"], user_domain_name="Default", project_domain_name="Default")
    return glance, session.Session(auth=password)
