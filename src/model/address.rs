//! What may be shown of an address: those of image data hold keys and passwords, and some are keys themselves.

use url::Url;

/// What stands in for a secret.
pub const HIDDEN: &str = "***";

/// Words in the names of headers, of query parameters and of JSON members that hold secrets.
const SECRETS: [&str; 7] = [
    "token",
    "password",
    "secret",
    "passcode",
    "cookie",
    "passwd",
    "credential",
];

/// A URL without the user and password and the secret parameters that may be in it.
pub fn place(url: &Url) -> String {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // It has a host, or it could not have a user.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    without_parameters(url.as_str())
}

/// A text in which the credentials and secret parameters of addresses are hidden.
pub fn discreet(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    let hidden = words.map(|word| {
        let bare = without_credentials(word);
        without_parameters(bare.as_deref().unwrap_or(word))
    });
    hidden.collect()
}

/// Whether a name, or any text, speaks of secrets.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|word| name.contains(word))
}

/// `…?a=b&token=secret` without the values of the parameters that are secret, those that sign an address
/// among them.
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

/// `scheme://user:key@host/…` without what stands before the `@`.
pub fn without_credentials(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    // A store's keys may hold slashes: what is before the last @ of the whole is taken for one then.
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
        assert_eq!(discreet(&text), format!("see {hidden}\nand s3://***@h/b "));
    }
}
