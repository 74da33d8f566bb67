//! The options of both grammars for the fields of a cloud.

use super::Globals;
use crate::config::{Field, OptionNames, fields};

/// The options for each field; first the one that messages name.
const OPTIONS: &[(&Field, &[&str])] = &[
    (&fields::CLOUD, &["--os-cloud"]),
    (&fields::AUTH_TYPE, &["--os-auth-type"]),
    (&fields::AUTH_METHODS, &["--os-auth-methods"]),
    (&fields::AUTH_URL, &["--os-auth-url"]),
    (&fields::USERNAME, &["--os-username"]),
    (&fields::USER_ID, &["--os-user-id"]),
    (&fields::USER_DOMAIN_NAME, &["--os-user-domain-name"]),
    (&fields::USER_DOMAIN_ID, &["--os-user-domain-id"]),
    (&fields::PASSWORD, &["--os-password"]),
    (&fields::PASSCODE, &["--os-passcode"]),
    (&fields::TOKEN, &["--os-token", "--os-auth-token"]),
    (&fields::CREDENTIAL_ID, &["--os-application-credential-id"]),
    (
        &fields::CREDENTIAL_NAME,
        &["--os-application-credential-name"],
    ),
    (
        &fields::CREDENTIAL_SECRET,
        &["--os-application-credential-secret"],
    ),
    (&fields::PROJECT_ID, &["--os-project-id"]),
    (&fields::PROJECT_NAME, &["--os-project-name"]),
    (&fields::PROJECT_DOMAIN_ID, &["--os-project-domain-id"]),
    (&fields::PROJECT_DOMAIN_NAME, &["--os-project-domain-name"]),
    (&fields::DOMAIN_ID, &["--os-domain-id"]),
    (&fields::DOMAIN_NAME, &["--os-domain-name"]),
    (
        &fields::DEFAULT_DOMAIN_ID,
        &["--os-default-domain-id", "--os-default-domain"],
    ),
    (&fields::DEFAULT_DOMAIN_NAME, &["--os-default-domain-name"]),
    (&fields::SYSTEM_SCOPE, &["--os-system-scope"]),
    (&fields::TRUST_ID, &["--os-trust-id"]),
    (&fields::IDENTITY_PROVIDER, &["--os-identity-provider"]),
    (&fields::PROTOCOL, &["--os-protocol"]),
    (&fields::ACCESS_TOKEN, &["--os-access-token"]),
    (&fields::CLIENT_ID, &["--os-client-id"]),
    (&fields::CLIENT_SECRET, &["--os-client-secret"]),
    (&fields::OPENID_SCOPE, &["--os-openid-scope"]),
    (
        &fields::ACCESS_TOKEN_ENDPOINT,
        &["--os-access-token-endpoint"],
    ),
    (&fields::DISCOVERY_ENDPOINT, &["--os-discovery-endpoint"]),
    (&fields::ACCESS_TOKEN_TYPE, &["--os-access-token-type"]),
    (
        &fields::DEVICE_ENDPOINT,
        &["--os-device-authorization-endpoint"],
    ),
    (
        &fields::CODE_CHALLENGE_METHOD,
        &["--os-code-challenge-method"],
    ),
    (&fields::CODE, &["--os-code"]),
    (&fields::REDIRECT_URI, &["--os-redirect-uri"]),
    (&fields::PASSCODE_MEMBER, &["--os-idp-otp-key"]),
    (&fields::OAUTH2_ENDPOINT, &["--os-oauth2-endpoint"]),
    (&fields::OAUTH2_CLIENT_ID, &["--os-oauth2-client-id"]),
    (
        &fields::OAUTH2_CLIENT_SECRET,
        &["--os-oauth2-client-secret"],
    ),
    (&fields::SERVICE_PROVIDER, &["--os-service-provider"]),
    (&fields::REGION, &["--os-region-name"]),
    (
        &fields::INTERFACE,
        &["--os-endpoint-type", "--os-interface"],
    ),
    (&fields::SERVICE_TYPE, &["--os-service-type"]),
    (&fields::IMAGE_URL, &["--os-image-url"]),
    (&fields::ENDPOINT_OVERRIDE, &["--os-endpoint-override"]),
    (&fields::ENDPOINT, &["--os-endpoint"]),
    (&fields::CACERT, &["--os-cacert"]),
    (&fields::CERT, &["--os-cert"]),
    (&fields::KEY, &["--os-key"]),
    (&fields::INSECURE, &["--insecure"]),
    (&fields::VERIFY, &["--verify"]),
    (&fields::OLDEST_TLS, &["--tls-min-version"]),
    (&fields::TLS_CIPHERS, &["--tls-ciphers"]),
    (&fields::TIMEOUT, &["--timeout"]),
    (&fields::NO_CACHE, &["--os-no-cache"]),
    (&fields::API_VERSION, &["--os-image-api-version"]),
];

/// The names of the options.
pub const OPTION_NAMES: OptionNames = OptionNames(option_names);

/// Returns the options for a field.
fn option_names(field: &Field) -> &'static [&'static str] {
    let found = OPTIONS.iter().find(|(known, _)| *known == field);
    found.map_or(&[], |(_, names)| names)
}

/// Returns whether an option is given that selects a cloud or logs in to one; with `modifiers`, whether one is given that
/// only determines how to reach a cloud.
pub fn is_given(globals: &Globals, modifiers: bool) -> bool {
    let options = OPTIONS
        .iter()
        .filter(|(field, _)| field.is_modifier() == modifiers)
        .flat_map(|(_, names)| names.iter());
    // The others are about this program, or are part of scripts for any deployment.
    let mut selecting = options.filter(|option| {
        option.starts_with("--os-")
            && !matches!(**option, "--os-no-cache" | "--os-image-api-version")
    });
    selecting.any(|option| globals.named(option).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::grammar::Grammar;

    #[test]
    fn every_field_of_a_cloud_has_options_of_a_grammar() {
        for field in fields::ALL {
            let names = option_names(field);
            // Set in clouds.yaml only.
            assert_eq!(names.is_empty(), **field == fields::AUTH_CACHE, "{field:?}");
            for name in names {
                let name = name.trim_start_matches("--");
                let known = [Grammar::Glance, Grammar::Openstack]
                    .into_iter()
                    .flat_map(Grammar::globals)
                    .any(|global| global.long == name || global.aliases.contains(&name));
                assert!(known, "{name}");
            }
        }
        assert_eq!(OPTIONS.len(), fields::ALL.len() - 1);
    }
}
