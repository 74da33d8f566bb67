//! TLS configuration. Servers are verified unless verification is off.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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

use super::ciphers;
use super::setup::SetupError;
use crate::Error;
use crate::config::{Tls, TlsVersion, Trust};

type Result<T> = std::result::Result<T, SetupError>;

/// Configures the TLS of a client. A client for addresses without TLS loads no certificates.
///
/// # Errors
/// Any but `InvalidProxy`, only for a client for addresses with TLS.
pub(super) fn configure(
    builder: ClientBuilder,
    tls: &Tls,
    is_secure: bool,
) -> Result<ClientBuilder> {
    if !is_secure {
        // A provider that is already installed is good enough: this one encrypts nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Loading the system's certificates is the most expensive part of the setup.
        return Ok(builder.tls_certs_only([]));
    }
    let mut config = client_config(tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(builder.tls_backend_preconfigured(config))
}

/// Returns the configuration of a TLS client, of any protocol.
///
/// # Errors
/// Any but `InvalidProxy`.
pub fn client_config(tls: &Tls) -> Result<ClientConfig> {
    let mut provider = rustls::crypto::ring::default_provider();
    if let Some(list) = &tls.ciphers {
        let suites = ciphers::select(&provider.cipher_suites, list);
        provider.cipher_suites = suites.ok_or_else(|| SetupError::NoCipherSuite(list.clone()))?;
    }
    let provider = Arc::new(provider);
    let versions: &[&SupportedProtocolVersion] = match tls.oldest {
        Some(TlsVersion::V1_3) => &[&rustls::version::TLS13],
        Some(TlsVersion::V1_2) | None => rustls::DEFAULT_VERSIONS,
    };
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|e| SetupError::Tls(e.into()))?;
    let verifier: Arc<dyn ServerCertVerifier> = if tls.insecure {
        Arc::new(Unverified { provider })
    } else {
        Arc::new(Verifier::new(provider, trusted(&tls.trust)?)?)
    };
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match &tls.certificate {
        None => Ok(config.with_no_client_auth()),
        Some(path) => {
            let mut pem = read(path)?;
            if let Some(key) = &tls.key {
                pem.extend(read(key)?);
            }
            let key = PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|e| SetupError::NoClientCertificate(path.clone(), e.into()))?;
            let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
                .filter_map(std::result::Result::ok)
                .collect();
            config
                .with_client_auth_cert(chain, key)
                .map_err(|e| SetupError::NoClientCertificate(path.clone(), e.into()))
        }
    }
}

/// Returns the trusted certificates.
///
/// # Errors
/// `File` and `NoCertificate` for a named file or directory without certificates.
fn trusted(trust: &Trust) -> Result<Vec<CertificateDer<'static>>> {
    match trust {
        Trust::Only(path) if path.is_dir() => {
            let found = rustls_native_certs::load_certs_from_paths(None, Some(path)).certs;
            if found.is_empty() {
                return Err(SetupError::NoCertificate(path.clone()));
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
            // As in OpenSSL, an unreadable file is not trusted, and is not an error.
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

/// Returns the certificates of a file, which MUST contain one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| SetupError::NoCertificate(path.to_path_buf()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| SetupError::File(Error::io("read", path, e)))
}

/// A verifier that also accepts a server certificate that is itself trusted, as OpenSSL does: a self-signed
/// certificate marked as an authority, as created by `openssl req -x509`.
#[derive(Debug)]
struct Verifier {
    /// The trusted certificates.
    trusted: Vec<CertificateDer<'static>>,
    inner: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    fn new(provider: Arc<CryptoProvider>, trusted: Vec<CertificateDer<'static>>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let inner = inner.map_err(|e| SetupError::NothingTrusted(e.into()))?;
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
            // The dates of the certificate have been checked before, and are valid.
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

/// Returns when a certificate expires, in seconds since the beginning of 1970; None if it cannot be parsed.
pub(super) fn expiry(certificate: &[u8]) -> Option<u64> {
    // webpki reports the end of a certificate's validity only by refusing it at a later time.
    let end_of_times = UnixTime::since_unix_epoch(Duration::from_secs(u64::from(u32::MAX) * 100));
    let certificate = CertificateDer::from(certificate);
    let certificate = webpki::EndEntityCert::try_from(&certificate).ok()?;
    let refused = certificate.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &[],
        &[],
        end_of_times,
        webpki::KeyUsage::server_auth(),
        None,
        None,
    );
    match refused.err()? {
        webpki::Error::CertExpired { not_after, .. } => Some(not_after.as_secs()),
        _ => None,
    }
}

/// Returns whether a certificate was refused only because its issuer is unknown, or because it is an
/// authority.
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
