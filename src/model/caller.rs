//! The caller of an operation.

use std::fmt;

use crate::{Error, Result};

/// The permissions of a caller. Ordered: each role implies the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Reader,
    /// Reads, and changes resources of the project.
    Member,
    /// Reads and changes everything, in every project.
    Admin,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Member, Self::Admin];

    /// Keystone's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// A user who acts in a project with a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The project ID, or any name without Keystone.
    pub project: String,
    /// The strongest role.
    pub role: Role,
    /// The user ID, or any name.
    pub user: String,
    /// ID of the domain that the project belongs to; None where there is no Keystone.
    pub domain: Option<String>,
    /// Every role that the caller has, in lower case, [`Caller::role`] and those it implies among them.
    pub roles: Vec<String>,
    /// Whether the caller acts on the system as a whole and not in a project.
    pub has_system_scope: bool,
    /// Roles of the service that asks on behalf of the caller; empty where none does.
    pub service_roles: Vec<String>,
    /// ID of the request that the caller makes, `req-` and a UUID; None outside of a server.
    pub request_id: Option<String>,
}

impl Caller {
    /// Returns a user in a project with a role and the roles that it implies.
    pub fn new(project: &str, role: Role, user: &str) -> Self {
        let implied = Role::ALL.into_iter().filter(|one| *one <= role);
        Self {
            project: project.to_string(),
            role,
            user: user.to_string(),
            domain: None,
            roles: implied.map(|one| one.name().to_string()).collect(),
            has_system_scope: false,
            service_roles: Vec::new(),
            request_id: None,
        }
    }

    /// Returns a user in a project with roles by their names. The strongest [`Role`] among them and those it implies count; the
    /// weakest one if there is none, without its name in the list of roles.
    pub fn with_roles<'r>(
        project: &str,
        user: &str,
        roles: impl IntoIterator<Item = &'r str>,
    ) -> Self {
        let given: Vec<String> = roles.into_iter().map(str::to_lowercase).collect();
        let mut known = Role::ALL.into_iter().rev();
        let strongest = known.find(|role| given.iter().any(|name| name == role.name()));
        let mut caller = Self::new(project, strongest.unwrap_or(Role::Reader), user);
        if strongest.is_none() {
            caller.roles.clear();
        }
        for role in given {
            if !caller.roles.contains(&role) {
                caller.roles.push(role);
            }
        }
        caller
    }

    /// Reads `PROJECT[:ROLE[:USER]]`; without a role it is `member`, without a user the project's name.
    ///
    /// # Errors
    /// `Usage` for an empty project or an unknown role.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, ':');
        let project = parts.next().unwrap_or_default();
        if project.is_empty() || project.len() > 255 {
            return Err(Error::usage(format!("'{text}' names no project"))
                .hint("Give the caller as PROJECT[:ROLE[:USER]], for example demo:member."));
        }
        let role = match parts.next() {
            None | Some("member") => Role::Member,
            Some("admin") => Role::Admin,
            Some("reader") => Role::Reader,
            Some(other) => {
                return Err(Error::usage(format!("'{other}' is not a role"))
                    .hint("The roles are admin, member and reader."));
            }
        };
        let user = parts
            .next()
            .filter(|user| !user.is_empty())
            .unwrap_or(project);
        Ok(Self::new(project, role, user))
    }

    /// Returns whether the caller is an administrator.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

impl Default for Caller {
    /// Returns the administrator of a personal deployment: `admin:admin:admin`.
    fn default() -> Self {
        Self::new("admin", Role::Admin, "admin")
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.project, self.role.name(), self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_role_counts_in_any_case() {
        let of = |roles: &[&str]| {
            let caller = Caller::with_roles("p", "u", roles.iter().copied());
            (caller.role, caller.roles.join(" "))
        };
        let all = "reader member admin".to_string();
        assert_eq!(of(&["Admin"]), (Role::Admin, all));
        assert_eq!(
            of(&["service", "MEMBER", "reader"]),
            (Role::Member, "reader member service".to_string())
        );
        assert_eq!(of(&["creator"]), (Role::Reader, "creator".to_string()));
        assert_eq!(of(&[]), (Role::Reader, String::new()));
    }

    #[test]
    fn callers_are_read_with_their_defaults() {
        assert_eq!(
            Caller::parse("demo").unwrap().to_string(),
            "demo:member:demo"
        );
        assert_eq!(
            Caller::parse("demo:reader").unwrap().to_string(),
            "demo:reader:demo"
        );
        assert_eq!(
            Caller::parse("a:admin:b:c").unwrap().to_string(),
            "a:admin:b:c"
        );
        assert!(Caller::parse("").is_err());
        assert!(Caller::parse("demo:king").is_err());
        assert_eq!(Caller::default().to_string(), "admin:admin:admin");
    }
}
