"""Evaluates rules with the real oslo.policy.

Reads a line with {"shared": {name: rule}, "default": name}, then lines of {"rule", "creds", "target"}. Prints the
default rules of the real Glance, then for each line true, false, or the name of an exception.
"""

import json
import logging
import sys

from oslo_config import cfg
from oslo_policy import _parser, policy

from glance import policies

logging.disable(logging.CRITICAL)

defaults = [
    [
        rule.name,
        rule.check_str,
        rule.deprecated_rule.check_str if rule.deprecated_rule else None,
        bool(rule.scope_types),
    ]
    for rule in policies.list_rules()
]
print(json.dumps(defaults))

first = json.loads(sys.stdin.readline())
conf = cfg.ConfigOpts()
conf([], project="none", default_config_files=[])
enforcer = policy.Enforcer(conf, default_rule=first["default"], use_conf=False)
enforcer.set_rules(policy.Rules.from_dict(first["shared"], first["default"]))
for line in sys.stdin:
    case = json.loads(line)
    try:
        check = _parser.parse_rule(case["rule"])
        print(json.dumps(bool(check(case["target"], case["creds"], enforcer))))
    except Exception as error:
        print(json.dumps(type(error).__name__))
