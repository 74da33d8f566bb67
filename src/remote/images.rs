//! Image records.

use std::collections::HashSet;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use http::Method;
use serde::Deserialize;
use url::Url;

use super::answer::unexpected_response;
use super::{JSON, Remote, parse};
use crate::Result;
use crate::http::Request;
use crate::model::{
    Direction, Fields, Image, ImageFilter, ImagePatch, ImageQuery, MemberStatus, NewImage, SortKey,
};
use crate::service::{ImageStream, Images};

/// The number of items to request at a time: the maximum of the reference implementation.
pub(super) const PAGE: u64 = 1000;

/// The maximum number of pages of a list.
pub(super) const PAGES: usize = 100_000;

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    images: Vec<Image>,
    next: Option<String>,
}

#[async_trait]
impl Images for Remote {
    async fn create_image(&self, new: NewImage) -> Result<Image> {
        let call = self
            .with_body(Method::POST, &["images"], JSON, &new.attributes)
            .await?;
        self.read(call).await
    }

    async fn get_image(&self, id: &str) -> Result<Image> {
        self.get(&["images", id]).await
    }

    fn sorts_by_code_points(&self) -> bool {
        false
    }

    /// Returns false, because the meaning of a filter depends on the server.
    fn filters_property(&self, _: &str) -> bool {
        false
    }

    fn list_images(&self, query: ImageQuery) -> ImageStream<'_> {
        let pages = try_stream! {
            let mut left = query.limit;
            let mut url = first_page(self.url(&["images"]).await?, &query);
            let mut seen = HashSet::new();
            let mut last: Option<String> = None;
            while left != Some(0) {
                let again = || unexpected_response(&url, "an endless list");
                if !seen.insert(url.query().map(str::to_string)) || seen.len() > PAGES {
                    Err(again())?;
                }
                let call = Request::new(Method::GET, url.clone());
                let page: Page = parse(&url, &self.succeed(call).await?)?;
                let mut images = page.images;
                // A server that ignores the marker returns the same page forever.
                let ends_with = images.last().map(|image| image.id.clone());
                if ends_with.is_some() && ends_with == last {
                    Err(again())?;
                }
                last = ends_with;
                if let Some(left) = &mut left {
                    images.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= images.len() as u64;
                }
                let next = page.next.filter(|_| !images.is_empty());
                for image in &mut images {
                    leave_out(image, query.fields);
                }
                yield images;
                let Some(next) = next else { break };
                url = next_page(&url, &next, left)?;
            }
        };
        pages.boxed()
    }

    async fn update_image(&self, id: &str, patch: &ImagePatch) -> Result<Image> {
        match self.send_patch(id, patch).await? {
            Some(image) => Ok(image),
            None => self.get_image(id).await,
        }
    }

    async fn apply_patch(&self, id: &str, patch: &ImagePatch) -> Result<()> {
        self.send_patch(id, patch).await.map(drop)
    }

    async fn delete_image(&self, id: &str) -> Result<()> {
        self.command(Method::DELETE, &["images", id]).await
    }

    async fn deactivate_image(&self, id: &str) -> Result<()> {
        self.command(Method::POST, &["images", id, "actions", "deactivate"])
            .await
    }

    async fn reactivate_image(&self, id: &str) -> Result<()> {
        self.command(Method::POST, &["images", id, "actions", "reactivate"])
            .await
    }

    async fn add_tag(&self, id: &str, tag: &str) -> Result<()> {
        self.command(Method::PUT, &["images", id, "tags", tag])
            .await
    }

    async fn remove_tag(&self, id: &str, tag: &str) -> Result<()> {
        self.command(Method::DELETE, &["images", id, "tags", tag])
            .await
    }
}

impl Remote {
    /// Sends a patch: one request, which is atomic, and then tags one by one, which preserves other tags.
    /// Returns the final record if a response contains it.
    async fn send_patch(&self, id: &str, patch: &ImagePatch) -> Result<Option<Image>> {
        let operations = patch.to_json();
        let mut image = None;
        if !operations.is_empty() || patch.is_empty() {
            let media_type = patch.format().media_type();
            let call = self
                .with_body(Method::PATCH, &["images", id], media_type, &operations)
                .await?;
            image = Some(self.read(call).await?);
        }
        for tag in patch.added_tags() {
            self.add_tag(id, tag).await?;
            image = None;
        }
        Ok(image)
    }
}

/// Returns the query for the first page of a list.
fn first_page(mut url: Url, query: &ImageQuery) -> Url {
    let page = query.page_size.unwrap_or(PAGE);
    let limit = query.limit.map_or(page, |limit| limit.min(page));
    let mut pairs = url.query_pairs_mut();
    pairs.append_pair("limit", &limit.to_string());
    if query.sort != ImageQuery::default().sort {
        let sort: Vec<String> = query.sort.iter().copied().map(sort_part).collect();
        pairs.append_pair("sort", &sort.join(","));
    }
    if let Some(marker) = &query.marker {
        pairs.append_pair("marker", marker);
    }
    if query.member_status != ImageQuery::default().member_status {
        let status = query.member_status.map_or("all", MemberStatus::name);
        pairs.append_pair("member_status", status);
    }
    let ImageFilter {
        visibility,
        hidden,
        tags,
        attributes,
        name,
        status,
    } = &query.filter;
    if let Some(visibility) = visibility {
        pairs.append_pair("visibility", visibility);
    }
    if *hidden {
        pairs.append_pair("os_hidden", "true");
    }
    if let Some(name) = name {
        pairs.append_pair("name", &quoted(name));
    }
    if let Some(status) = status {
        pairs.append_pair("status", status.name());
    }
    for tag in tags {
        pairs.append_pair("tag", tag);
    }
    for (name, value) in attributes {
        pairs.append_pair(name, value);
    }
    drop(pairs);
    url
}

/// Quotes a name for a filter: a colon in it would be an operator.
fn quoted(name: &str) -> String {
    if name.contains(':') || name.starts_with('"') {
        return format!("in:\"{name}\"");
    }
    name.to_string()
}

fn sort_part((key, direction): (SortKey, Direction)) -> String {
    format!("{}:{}", key.name(), direction.name())
}

/// Returns the address of the next page: the server's query at the known address.
pub(super) fn next_page(url: &Url, next: &str, left: Option<u64>) -> Result<Url> {
    let named = url
        .join(next)
        .map_err(|_| unexpected_response(url, &format!("'{next}' as the next page of a list")))?;
    let mut url = url.clone();
    url.set_query(None);
    let mut pairs = url.query_pairs_mut();
    for (name, value) in named.query_pairs() {
        match (name.as_ref(), left, value.parse::<u64>()) {
            ("limit", Some(left), Ok(limit)) => {
                pairs.append_pair("limit", &limit.min(left).to_string());
            }
            _ => {
                pairs.append_pair(&name, &value);
            }
        }
    }
    drop(pairs);
    Ok(url)
}

/// Drops unneeded attributes to save memory.
fn leave_out(image: &mut Image, fields: Fields) {
    if !fields.attributes {
        let mut short = Image::queued(std::mem::take(&mut image.id), image.created_at);
        short.name = image.name.take();
        short.status = image.status;
        short.tags = std::mem::take(&mut image.tags);
        short.properties = std::mem::take(&mut image.properties);
        short.locations = image.locations.take();
        short.stores = image.stores.take();
        short.direct_url = image.direct_url.take();
        *image = short;
    }
    if !fields.properties {
        image.properties = Vec::new();
    }
    if !fields.tags {
        image.tags = Vec::new();
    }
    if !fields.locations {
        image.locations = None;
        image.stores = None;
        image.direct_url = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &ImageQuery) -> String {
        let url = first_page(Url::parse("http://h/v2/images").unwrap(), query);
        url.query().unwrap_or_default().to_string()
    }

    #[test]
    fn questions_name_what_is_not_the_servers_default() {
        assert_eq!(asked(&ImageQuery::default()), "limit=1000");
        let query = ImageQuery {
            filter: ImageFilter {
                name: Some("a b".to_string()),
                hidden: true,
                tags: vec!["x".to_string(), "y".to_string()],
                attributes: vec![("os_distro".to_string(), "debian".to_string())],
                ..ImageFilter::default()
            },
            sort: vec![(SortKey::Name, Direction::Ascending)],
            limit: Some(7),
            ..ImageQuery::default()
        };
        assert_eq!(
            asked(&query),
            "limit=7&sort=name%3Aasc&os_hidden=true&name=a+b&tag=x&tag=y&os_distro=debian"
        );
    }

    #[test]
    fn the_next_page_is_asked_of_the_same_server() {
        let url = Url::parse("http://h:1/image/v2/images?limit=3").unwrap();
        let next = next_page(&url, "http://evil/v2/images?marker=m&limit=3", Some(2)).unwrap();
        assert_eq!(next.as_str(), "http://h:1/image/v2/images?marker=m&limit=2");
    }
}
