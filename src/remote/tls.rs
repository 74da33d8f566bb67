//! TLS, as the options want it: verified always, unless that is switched off.

use std::path::Path;
use std::sync::Arc;

use reqwest::ClientBuilder;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

use crate::config::{Tls, TlsVersion, Trust};
use crate::{Error, Result};

/// Sets a client up; where `secure` is not set, it need not know any certificate.
///
/// # Errors
/// `Io` and `Failed` for a certificate or key that cannot be read.
pub fn configure(builder: ClientBuilder, tls: &Tls, secure: bool) -> Result<ClientBuilder> {
    let mut provider = rustls::crypto::ring::default_provider();
    if let Some(list) = &tls.ciphers {
        match super::ciphers::allowed(&provider.cipher_suites, list) {
            Ok(suites) => provider.cipher_suites = suites,
            Err(error) if secure => return Err(error),
            // What is not encrypted is no matter of ciphers.
            Err(_) => {}
        }
    }
    if !secure {
        // A second installation is refused, and the first one as good: nothing is encrypted by it.
        let _ = provider.install_default();
        // Loading the system's certificates takes longer than all else.
        return Ok(builder.tls_certs_only([]));
    }
    Ok(builder.tls_backend_preconfigured(client_config(Arc::new(provider), tls)?))
}

fn client_config(provider: Arc<CryptoProvider>, tls: &Tls) -> Result<ClientConfig> {
    let versions: &[&SupportedProtocolVersion] = match tls.oldest {
        Some(TlsVersion::V1_3) => &[&rustls::version::TLS13],
        Some(TlsVersion::V1_2) | None => rustls::DEFAULT_VERSIONS,
    };
    let broken = |e| Error::failed("cannot set up TLS").because(e);
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(broken)?;
    let verifier: Arc<dyn ServerCertVerifier> = if tls.insecure {
        Arc::new(Unverified { provider })
    } else {
        Arc::new(Verifier::new(provider, trusted(&tls.trust)?)?)
    };
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.certificate {
        None => config.with_no_client_auth(),
        Some(path) => {
            let without = |e| {
                let message = format!("{} holds no certificate with a key", path.display());
                Error::failed(message)
                    .hint("Name the certificate with --os-cert and its key with --os-key, both in PEM.")
                    .because(e)
            };
            let mut pem = read(path)?;
            if let Some(key) = &tls.key {
                pem.extend(read(key)?);
            }
            let key = PrivateKeyDer::from_pem_slice(&pem).map_err(without)?;
            let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
                .filter_map(std::result::Result::ok)
                .collect();
            config.with_client_auth_cert(chain, key).map_err(|e| {
                let message = format!("{} holds no certificate with a key", path.display());
                Error::failed(message)
                    .hint("Name the certificate with --os-cert and its key with --os-key, both in PEM.")
                    .because(e)
            })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Returns the certificates to trust.
///
/// # Errors
/// `Io` and `Failed` for a file or directory that was named and has none.
fn trusted(trust: &Trust) -> Result<Vec<CertificateDer<'static>>> {
    match trust {
        Trust::Only(path) if path.is_dir() => {
            let found = rustls_native_certs::load_certs_from_paths(None, Some(path)).certs;
            if found.is_empty() {
                return Err(no_certificate(path));
            }
            Ok(found)
        }
        Trust::Only(path) => certificates(path),
        Trust::System { file, directories } => {
            let usual = openssl_probe::probe();
            let file = file.clone().or(usual.cert_file);
            let directories = match directories.as_slice() {
                [] => usual.cert_dir,
                named => named.to_vec(),
            };
            // As for OpenSSL, what cannot be read is not trusted; nothing else follows from it.
            let mut all = Vec::new();
            for directory in &directories {
                all.extend(rustls_native_certs::load_certs_from_paths(None, Some(directory)).certs);
            }
            if let Some(file) = &file {
                all.extend(rustls_native_certs::load_certs_from_paths(Some(file), None).certs);
            }
            all.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
            all.dedup();
            Ok(all)
        }
    }
}

/// Returns the certificates of a file, of which there MUST be one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| no_certificate(path))
}

fn no_certificate(path: &Path) -> Error {
    Error::failed(format!("{} holds no certificate in PEM", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}

/// A verifier of servers that also accepts a certificate which is itself trusted, as OpenSSL does: a server's
/// own certificate that calls itself an authority, as `openssl req -x509` makes them.
#[derive(Debug)]
struct Verifier {
    /// Certificates that are trusted.
    trusted: Vec<CertificateDer<'static>>,
    inner: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    fn new(provider: Arc<CryptoProvider>, trusted: Vec<CertificateDer<'static>>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let inner = inner.map_err(|e| {
            Error::failed("there is no certificate to trust")
                .hint("Name the certificates to trust with --os-cacert FILE.")
                .because(e)
        })?;
        Ok(Self { trusted, inner })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let is_trusted = || self.trusted.iter().any(|trusted| trusted == end_entity);
        match verified {
            // The dates of a certificate are checked before either, and are right.
            Err(error) if lacks_only_issuer(&error) && is_trusted() => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a certificate was refused only because nobody vouches for it, or because it is an authority itself.
fn lacks_only_issuer(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            let error = other.0.downcast_ref::<webpki::Error>();
            matches!(error, Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// A verifier that accepts every certificate.
#[derive(Debug)]
struct Unverified {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
