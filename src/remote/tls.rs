//! TLS, as the options want it: verified always, unless that is switched off.

use std::path::Path;

use reqwest::{Certificate, ClientBuilder, Identity};

use crate::config::Tls;
use crate::{Error, Result};

/// Sets a client up; where `secure` is not set, it need not know any certificate.
///
/// # Errors
/// `Io` and `Failed` for a certificate or key that cannot be read.
pub fn configure(mut builder: ClientBuilder, tls: &Tls, secure: bool) -> Result<ClientBuilder> {
    let mut provider = rustls::crypto::ring::default_provider();
    if let Some(list) = &tls.ciphers {
        match super::ciphers::allowed(&provider.cipher_suites, list) {
            Ok(suites) => provider.cipher_suites = suites,
            Err(error) if secure => return Err(error),
            // What is not encrypted is no matter of ciphers.
            Err(_) => {}
        }
    }
    // A second installation is refused, and the first one as good: a process reaches one cloud.
    let _ = provider.install_default();
    if !secure {
        // Loading the system's certificates takes longer than all else.
        return Ok(builder.tls_certs_only([]));
    }
    if let Some(oldest) = tls.oldest {
        builder = builder.tls_version_min(match oldest {
            crate::config::TlsVersion::V1_2 => reqwest::tls::Version::TLS_1_2,
            crate::config::TlsVersion::V1_3 => reqwest::tls::Version::TLS_1_3,
        });
    }
    if let Some(path) = &tls.certificate {
        let mut pem = read(path)?;
        if let Some(key) = &tls.key {
            pem.extend(read(key)?);
        }
        let identity = Identity::from_pem(&pem).map_err(|e| {
            Error::failed(format!(
                "{} holds no certificate with a key",
                path.display()
            ))
            .hint("Name the certificate with --os-cert and its key with --os-key, both in PEM.")
            .because(e)
        })?;
        builder = builder.identity(identity);
    }
    if tls.insecure {
        return Ok(builder.tls_danger_accept_invalid_certs(true));
    }
    if let Some(path) = &tls.authorities {
        let certificates = Certificate::from_pem_bundle(&read(path)?).ok();
        let certificates = certificates.filter(|certificates| !certificates.is_empty());
        let certificates = certificates.ok_or_else(|| {
            Error::failed(format!("{} holds no certificate in PEM", path.display()))
        })?;
        builder = builder.tls_certs_only(certificates);
    }
    Ok(builder)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}
