//! The parts of addresses that may be shown: addresses of image data contain keys and passwords, and some
//! are secrets as a whole.

use url::Url;

/// The replacement of a secret.
pub const HIDDEN: &str = "***";

/// Words in the names of headers, query parameters and JSON members that contain secrets.
const SECRETS: [&str; 7] = [
    "token",
    "password",
    "secret",
    "passcode",
    "cookie",
    "passwd",
    "credential",
];

/// Returns a URL without its user, password and secret parameters.
pub fn place(url: &Url) -> String {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // The URL has a host, because it has a user.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    without_parameters(url.as_str())
}

/// Returns a text in which the credentials and secret parameters of addresses are hidden.
pub fn redacted(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let hidden = words.map(|word| {
        let bare = without_credentials(word);
        without_parameters(bare.as_deref().unwrap_or(word))
    });
    hidden.collect()
}

/// Returns whether a name, or any text, refers to secrets.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|word| name.contains(word))
}

/// Returns `…?a=b&token=secret` without the values of secret parameters, including signatures.
pub fn without_parameters(text: &str) -> String {
    let Some((before, query)) = text.split_once('?') else {
        return text.to_string();
    };
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        is_secret(&name) || name.ends_with("sig") || name.contains("signature")
    };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if secret(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_string(),
    });
    format!("{before}?{}", shown.collect::<Vec<String>>().join("&"))
}

/// Returns `scheme://user:key@host/…` without the part before the `@`.
pub fn without_credentials(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // A store's keys may contain slashes. In that case everything before the last @ of the whole text is
    // hidden.
    let end = authority.rfind('@').or_else(|| rest.rfind('@'))?;
    Some(format!("{scheme}://{HIDDEN}@{}", &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signs_an_address_is_hidden() {
        let signed = "http://h/c/o?X-Amz-Date=1&X-Amz-Signature=ab&temp_url_sig=cd&x=y";
        let hidden = "http://h/c/o?X-Amz-Date=1&X-Amz-Signature=***&temp_url_sig=***&x=y";
        assert_eq!(place(&Url::parse(signed).unwrap()), hidden);
        let text = format!("see {signed}\nand s3://k:v@h/b ");
        assert_eq!(redacted(&text), format!("see {hidden}\nand s3://***@h/b "));
    }
}
