//! Cipher lists in OpenSSL's notation.
//!
//! *Source:* `openssl-ciphers(1)`. Like OpenSSL's, the list applies to TLS 1.2 and older.

use rustls::{CipherSuite, SupportedCipherSuite};

/// Returns OpenSSL's name of a supported TLS 1.2 suite; None for others.
fn name(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

/// Returns whether a word of a list matches the suite with that name. Words joined by `+` match suites that
/// all of them match.
fn matches_word(word: &str, name: &str) -> bool {
    word.split('+').all(|word| match word {
        // All supported suites are of these kinds.
        "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" => true,
        "AES" | "AESGCM" => name.contains("AES"),
        "AES128" => name.contains("AES128"),
        "AES256" => name.contains("AES256"),
        "CHACHA20" => name.contains("CHACHA20"),
        "RSA" | "aRSA" => name.contains("-RSA-"),
        "ECDSA" | "aECDSA" => name.contains("-ECDSA-"),
        "SHA256" => name.ends_with("SHA256"),
        "SHA384" => name.ends_with("SHA384"),
        exact => exact == name,
    })
}

/// Returns the suites of `suites` that `list` allows, in its order, and those of TLS 1.3; None if the list
/// leaves no suite of TLS 1.2.
///
/// Unknown words match nothing, as in OpenSSL. `!` before a word forbids its suites, `-` removes them, and
/// `@SECLEVEL=…` and `@STRENGTH` have no effect.
pub(super) fn select(
    suites: &[SupportedCipherSuite],
    list: &str,
) -> Option<Vec<SupportedCipherSuite>> {
    let mut chosen: Vec<SupportedCipherSuite> = Vec::new();
    let mut forbidden: Vec<&str> = Vec::new();
    for word in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        let of = |word: &str, suite: &SupportedCipherSuite| {
            name(suite.suite()).is_some_and(|name| matches_word(word, name))
        };
        if word.starts_with('@') {
            continue;
        }
        if let Some(word) = word.strip_prefix('!') {
            forbidden.push(word);
            chosen.retain(|suite| !of(word, suite));
        } else if let Some(word) = word.strip_prefix('-') {
            chosen.retain(|suite| !of(word, suite));
        } else if let Some(word) = word.strip_prefix('+') {
            // Selected suites that the word matches move to the end.
            let (moved, mut kept): (Vec<_>, Vec<_>) =
                chosen.into_iter().partition(|suite| of(word, suite));
            kept.extend(moved);
            chosen = kept;
        } else {
            let new = suites
                .iter()
                .copied()
                .filter(|suite| of(word, suite) && !forbidden.iter().any(|word| of(word, suite)));
            let new: Vec<_> = new.filter(|suite| !chosen.contains(suite)).collect();
            chosen.extend(new);
        }
    }
    if chosen.is_empty() {
        return None;
    }
    let newer = suites
        .iter()
        .copied()
        .filter(|suite| name(suite.suite()).is_none());
    Some(newer.chain(chosen.iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        let suites = rustls::crypto::ring::default_provider().cipher_suites;
        let allowed = select(&suites, list).unwrap();
        let newer = allowed.iter().filter(|suite| suite.tls13().is_some());
        assert_eq!(
            newer.count(),
            3,
            "those of TLS 1.3 are not what the list is about"
        );
        allowed
            .iter()
            .filter_map(|suite| name(suite.suite()))
            .collect()
    }

    #[test]
    fn lists_are_read_as_openssl_reads_them() {
        assert_eq!(names("ALL").len(), 6);
        assert_eq!(names("DEFAULT:!aNULL:@SECLEVEL=2").len(), 6);
        assert_eq!(
            names("HIGH:!CHACHA20:-aECDSA"),
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256",]
        );
        assert_eq!(
            names("no-such:ECDHE-RSA-AES128-GCM-SHA256"),
            ["ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(
            names("ECDHE+CHACHA20+RSA, AES128+ECDSA"),
            [
                "ECDHE-RSA-CHACHA20-POLY1305",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
            ]
        );
        assert_eq!(
            names("!AES128:aRSA+AES:+AES256"),
            ["ECDHE-RSA-AES256-GCM-SHA384"]
        );
        assert_eq!(
            names("aRSA+AES:+AES256").last(),
            Some(&"ECDHE-RSA-AES256-GCM-SHA384")
        );
    }

    #[test]
    fn nothing_is_an_error() {
        let suites = rustls::crypto::ring::default_provider().cipher_suites;
        for list in ["", "RC4", "ALL:!ALL", "x"] {
            assert!(select(&suites, list).is_none(), "{list}");
        }
    }
}
