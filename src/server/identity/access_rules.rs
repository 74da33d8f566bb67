//! The requests that an application credential with access rules allows.
//!
//! *Source:* `keystonemiddleware/auth_token/__init__.py` (`validate_allowed_request`, `_path_matches`).

use http::Method;

use crate::keystone::AccessRule;

/// Returns whether one of the rules allows a request to the service of a type. `path` is the path of the request, as it
/// was sent.
pub fn allows(rules: &[AccessRule], service: &str, method: &Method, path: &str) -> bool {
    rules.iter().any(|rule| {
        rule.service == service
            && rule.method == method.as_str()
            && is_match(&parse(&rule.path), path.as_bytes())
    })
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This byte.
    Literal(u8),
    /// Any bytes but slashes, at least one: `*` or `{name}`.
    Segment,
    /// Any bytes: `**`.
    Anything,
}

/// Reads a pattern.
fn parse(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.as_bytes();
    while let Some(first) = rest.first() {
        let end_of_name = || rest.iter().position(|byte| *byte == b'}');
        let (token, length) = match first {
            b'*' if rest.starts_with(b"**") => (Token::Anything, 2),
            b'*' => (Token::Segment, 1),
            b'{' if let Some(end) = end_of_name() => (Token::Segment, end + 1),
            first => (Token::Literal(*first), 1),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}

/// Returns whether a pattern matches a whole path.
fn is_match(pattern: &[Token], path: &[u8]) -> bool {
    // The lengths of the beginnings of the path that the pattern so far matches.
    let mut ends = vec![false; path.len() + 1];
    ends[0] = true;
    for token in pattern {
        let mut next = vec![false; path.len() + 1];
        match token {
            Token::Literal(byte) => {
                for (at, found) in path.iter().enumerate() {
                    next[at + 1] = ends[at] && found == byte;
                }
            }
            Token::Segment => {
                for (at, found) in path.iter().enumerate() {
                    next[at + 1] = *found != b'/' && (ends[at] || next[at]);
                }
            }
            Token::Anything => {
                let mut matched = false;
                for (at, end) in next.iter_mut().enumerate() {
                    matched |= ends[at];
                    *end = matched;
                }
            }
        }
        ends = next;
    }
    ends.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_segments_and_anything() {
        for (pattern, path, expected) in [
            ("/v2/images", "/v2/images", true),
            ("/v2/images", "/v2/images/", false),
            ("/v2/images", "//v2/images", false),
            ("/v2/images/{image_id}", "/v2/images/a", true),
            ("/v2/images/{image_id}", "/v2/images/a/file", false),
            ("/v2/images/{image_id}/file", "/v2/images/a/file", true),
            ("/v2/images/*", "/v2/images/", false),
            ("/v2/*/x", "/v2/images/x", true),
            ("/v2/**", "/v2/images/a/file", true),
            ("/v2/**/file", "/v2/images/a/file", true),
            ("/v2/**/file", "/v2/images/a/data", false),
            ("**", "", true),
            ("/é/*", "/é/a", true),
            ("/{open", "/{open", true),
        ] {
            assert_eq!(
                is_match(&parse(pattern), path.as_bytes()),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn a_rule_is_for_a_service_and_a_method() {
        let rule = AccessRule {
            service: "image".to_string(),
            method: "GET".to_string(),
            path: "/v2/images".to_string(),
        };
        let rules = [rule];
        assert!(allows(&rules, "image", &Method::GET, "/v2/images"));
        assert!(!allows(&rules, "image", &Method::POST, "/v2/images"));
        assert!(!allows(&rules, "volume", &Method::GET, "/v2/images"));
        assert!(!allows(&[], "image", &Method::GET, "/v2/images"));
    }
}
