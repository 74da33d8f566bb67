//! The few elements of requests and responses in XML that are used.

use std::fmt::Write;

use roxmltree::{Document, Node};

use super::digests::Sent;

/// Returns the text of the first element with a name.
pub(super) fn first(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let document = Document::parse(text.trim_start()).ok()?;
    text_of(document.root(), name)
}

/// Returns whether a response is an error, whatever its status is.
pub(super) fn is_error(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    Document::parse(text.trim_start())
        .is_ok_and(|document| document.root_element().tag_name().name() == "Error")
}

fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    let mut all = node.descendants();
    let found = all.find(|one| one.is_element() && one.tag_name().name() == name)?;
    Some(found.text().unwrap_or_default().to_string())
}

/// A page of the list of unfinished uploads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uploads {
    /// The key and the ID of each.
    pub(super) uploads: Vec<(String, String)>,
    /// The markers of the next page.
    pub(super) next: Option<(String, String)>,
}

impl Uploads {
    /// Parses a page; None if it is invalid.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let document = Document::parse(text.trim_start()).ok()?;
        let root = document.root_element();
        let uploads = root
            .children()
            .filter(|node| node.tag_name().name() == "Upload");
        let uploads =
            uploads.filter_map(|node| Some((text_of(node, "Key")?, text_of(node, "UploadId")?)));
        let is_truncated = text_of(root, "IsTruncated").as_deref() == Some("true");
        Some(Self {
            uploads: uploads.collect(),
            next: if is_truncated {
                let key = text_of(root, "NextKeyMarker")?;
                Some((key, text_of(root, "NextUploadIdMarker").unwrap_or_default()))
            } else {
                None
            },
        })
    }
}

/// Returns the body that completes an upload of these parts.
pub(super) fn completion(parts: &[Sent]) -> String {
    let mut text = "<CompleteMultipartUpload>".to_string();
    for part in parts {
        let etag = escaped(&part.etag);
        let _ = write!(
            text,
            "<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag>",
            part.number
        );
        if let Some(checksum) = &part.checksum {
            let _ = write!(text, "<ChecksumCRC32>{checksum}</ChecksumCRC32>");
        }
        text.push_str("</Part>");
    }
    text + "</CompleteMultipartUpload>"
}

/// Returns the body that creates a bucket in a region.
pub(super) fn bucket_in(region: &str) -> String {
    format!(
        "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
        escaped(region)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_lists_are_read_with_and_without_a_namespace() {
        let error = b"\n  <?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>m &amp; n</Message></Error>";
        assert!(is_error(error));
        assert_eq!(first(error, "Code").as_deref(), Some("NoSuchKey"));
        assert_eq!(first(error, "Message").as_deref(), Some("m & n"));
        assert_eq!(first(error, "Region"), None);
        assert!(!is_error(b"") && !is_error(b"<a"));
        let page =
            b"<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
            <NextUploadIdMarker>2~x</NextUploadIdMarker>\
            <Upload><Key>k</Key><UploadId>2~x</UploadId><Owner><ID>o</ID></Owner></Upload>\
            </ListMultipartUploadsResult>";
        let pair = || ("k".to_string(), "2~x".to_string());
        let expected = Uploads {
            uploads: vec![pair()],
            next: Some(pair()),
        };
        assert_eq!(Uploads::parse(page), Some(expected));
        assert_eq!(Uploads::parse(b"nonsense"), None);
    }

    #[test]
    fn a_completion_names_each_part() {
        let part = |number, checksum: Option<&str>| Sent {
            number,
            etag: "\"e\"".to_string(),
            md5: [0; 16],
            checksum: checksum.map(str::to_string),
        };
        assert_eq!(
            completion(&[part(1, None), part(2, Some("AA=="))]),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"e\"</ETag></Part>\
             <Part><PartNumber>2</PartNumber><ETag>\"e\"</ETag><ChecksumCRC32>AA==</ChecksumCRC32></Part>\
             </CompleteMultipartUpload>"
        );
    }
}
