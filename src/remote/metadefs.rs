//! Metadata definitions.

use std::collections::HashSet;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::answer::unexpected_response;
use super::images::{PAGES, next_page};
use super::{JSON, Remote, parse};
use crate::Result;
use crate::http::Request;
use crate::model::Direction;
use crate::model::metadef::{
    Association, Definition, Namespace, NamespaceQuery, NamespaceSort, Object, Properties,
    ResourceType, Tag, written,
};
use crate::service::{
    MetadefObjects, MetadefProperties, MetadefTags, NamespaceStream, Namespaces, ResourceTypes,
};

/// The number of namespaces to request at a time: the maximum of the reference implementation.
const PAGE: u64 = 1000;

/// The header that keeps existing tags.
const APPEND: HeaderName = HeaderName::from_static("x-openstack-append");

/// A page of a list of namespaces.
#[derive(Deserialize)]
struct Page {
    namespaces: Vec<Namespace>,
    next: Option<String>,
}

/// The other lists, which have one page.
#[derive(Deserialize)]
struct ObjectList {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct PropertyList {
    properties: Properties,
}

#[derive(Deserialize)]
struct TagList {
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct ResourceTypeList {
    resource_types: Vec<ResourceType>,
}

#[derive(Deserialize)]
struct AssociationList {
    resource_type_associations: Vec<Association>,
}

/// Returns the path of a resource within a namespace.
fn within<'p, const N: usize>(namespace: &'p str, rest: [&'p str; N]) -> Vec<&'p str> {
    ["metadefs", "namespaces", namespace]
        .into_iter()
        .chain(rest)
        .collect()
}

#[async_trait]
impl Namespaces for Remote {
    async fn create_namespace(&self, new: Definition) -> Result<Namespace> {
        let path = ["metadefs", "namespaces"];
        let call = self.with_body(Method::POST, &path, JSON, &new).await?;
        self.read(call).await
    }

    async fn get_namespace(&self, name: &str, resource_type: Option<&str>) -> Result<Namespace> {
        let mut url = self.url(&within(name, [])).await?;
        if let Some(resource_type) = resource_type {
            url.query_pairs_mut()
                .append_pair("resource_type", resource_type);
        }
        self.read(Request::new(Method::GET, url)).await
    }

    fn list_namespaces(&self, query: NamespaceQuery) -> NamespaceStream<'_> {
        let pages = try_stream! {
            let mut left = query.limit;
            let mut url = first_page(self.url(&["metadefs", "namespaces"]).await?, &query);
            let mut seen = HashSet::new();
            while left != Some(0) {
                // A server that ignores the marker returns the same page forever.
                let again = || unexpected_response(&url, "an endless list");
                if seen.len() > PAGES {
                    Err(again())?;
                }
                let call = Request::new(Method::GET, url.clone());
                let page: Page = parse(&url, &self.succeed(call).await?)?;
                let mut namespaces = page.namespaces;
                if let Some(last) = namespaces.last()
                    && !seen.insert(last.name.clone())
                {
                    Err(again())?;
                }
                if let Some(left) = &mut left {
                    namespaces.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= namespaces.len() as u64;
                }
                let next = page.next.filter(|_| !namespaces.is_empty());
                yield namespaces;
                let Some(next) = next else { break };
                url = next_page(&url, &next, left)?;
            }
        };
        pages.boxed()
    }

    async fn replace_namespace(&self, name: &str, with: Definition) -> Result<Namespace> {
        let path = within(name, []);
        let call = self.with_body(Method::PUT, &path, JSON, &with).await?;
        self.read(call).await
    }

    async fn delete_namespace(&self, name: &str) -> Result<()> {
        self.command(Method::DELETE, &within(name, [])).await
    }
}

#[async_trait]
impl MetadefObjects for Remote {
    async fn create_object(&self, namespace: &str, new: Definition) -> Result<Object> {
        let path = within(namespace, ["objects"]);
        let call = self.with_body(Method::POST, &path, JSON, &new).await?;
        self.read(call).await
    }

    async fn get_object(&self, namespace: &str, name: &str) -> Result<Object> {
        self.get(&within(namespace, ["objects", name])).await
    }

    async fn list_objects(&self, namespace: &str) -> Result<Vec<Object>> {
        let list: ObjectList = self.get(&within(namespace, ["objects"])).await?;
        Ok(list.objects)
    }

    async fn replace_object(
        &self,
        namespace: &str,
        name: &str,
        with: Definition,
    ) -> Result<Object> {
        let path = within(namespace, ["objects", name]);
        let call = self.with_body(Method::PUT, &path, JSON, &with).await?;
        self.read(call).await
    }

    async fn delete_object(&self, namespace: &str, name: &str) -> Result<()> {
        self.command(Method::DELETE, &within(namespace, ["objects", name]))
            .await
    }

    async fn delete_objects(&self, namespace: &str) -> Result<()> {
        self.command(Method::DELETE, &within(namespace, ["objects"]))
            .await
    }
}

#[async_trait]
impl MetadefProperties for Remote {
    async fn create_property(&self, namespace: &str, new: Definition) -> Result<Definition> {
        let path = within(namespace, ["properties"]);
        let call = self.with_body(Method::POST, &path, JSON, &new).await?;
        self.read(call).await
    }

    async fn get_property(&self, namespace: &str, name: &str) -> Result<Definition> {
        self.get(&within(namespace, ["properties", name])).await
    }

    async fn list_properties(&self, namespace: &str) -> Result<Properties> {
        let list: PropertyList = self.get(&within(namespace, ["properties"])).await?;
        Ok(list.properties)
    }

    async fn replace_property(
        &self,
        namespace: &str,
        name: &str,
        with: Definition,
    ) -> Result<Definition> {
        let path = within(namespace, ["properties", name]);
        let call = self.with_body(Method::PUT, &path, JSON, &with).await?;
        self.read(call).await
    }

    async fn delete_property(&self, namespace: &str, name: &str) -> Result<()> {
        self.command(Method::DELETE, &within(namespace, ["properties", name]))
            .await
    }

    async fn delete_properties(&self, namespace: &str) -> Result<()> {
        self.command(Method::DELETE, &within(namespace, ["properties"]))
            .await
    }
}

#[async_trait]
impl MetadefTags for Remote {
    async fn create_tag(&self, namespace: &str, name: &str) -> Result<Tag> {
        let url = self.url(&within(namespace, ["tags", name])).await?;
        self.read(Request::new(Method::POST, url)).await
    }

    async fn create_tags(
        &self,
        namespace: &str,
        names: &[String],
        append: bool,
    ) -> Result<Vec<Tag>> {
        let tags: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
        let path = within(namespace, ["tags"]);
        let body = json!({"tags": tags});
        let mut call = self.with_body(Method::POST, &path, JSON, &body).await?;
        if append {
            call.headers
                .insert(APPEND, HeaderValue::from_static("True"));
        }
        let list: TagList = self.read(call).await?;
        Ok(list.tags)
    }

    async fn get_tag(&self, namespace: &str, name: &str) -> Result<Tag> {
        self.get(&within(namespace, ["tags", name])).await
    }

    async fn list_tags(&self, namespace: &str) -> Result<Vec<Tag>> {
        let list: TagList = self.get(&within(namespace, ["tags"])).await?;
        Ok(list.tags)
    }

    async fn rename_tag(&self, namespace: &str, name: &str, new: &str) -> Result<Tag> {
        let path = within(namespace, ["tags", name]);
        let body = written(&Tag::named(new));
        let call = self.with_body(Method::PUT, &path, JSON, &body).await?;
        self.read(call).await
    }

    async fn delete_tag(&self, namespace: &str, name: &str) -> Result<()> {
        self.command(Method::DELETE, &within(namespace, ["tags", name]))
            .await
    }

    async fn delete_tags(&self, namespace: &str) -> Result<()> {
        self.command(Method::DELETE, &within(namespace, ["tags"]))
            .await
    }
}

#[async_trait]
impl ResourceTypes for Remote {
    async fn list_resource_types(&self) -> Result<Vec<ResourceType>> {
        let list: ResourceTypeList = self.get(&["metadefs", "resource_types"]).await?;
        Ok(list.resource_types)
    }

    async fn list_associations(&self, namespace: &str) -> Result<Vec<Association>> {
        let list: AssociationList = self.get(&within(namespace, ["resource_types"])).await?;
        Ok(list.resource_type_associations)
    }

    async fn associate(&self, namespace: &str, new: Definition) -> Result<Association> {
        let path = within(namespace, ["resource_types"]);
        let call = self.with_body(Method::POST, &path, JSON, &new).await?;
        self.read(call).await
    }

    async fn dissociate(&self, namespace: &str, resource_type: &str) -> Result<()> {
        let path = within(namespace, ["resource_types", resource_type]);
        self.command(Method::DELETE, &path).await
    }
}

/// Returns the query for the first page of a list.
fn first_page(mut url: Url, query: &NamespaceQuery) -> Url {
    let page = query.page_size.unwrap_or(PAGE);
    let limit = query.limit.map_or(page, |limit| limit.min(page));
    let mut pairs = url.query_pairs_mut();
    pairs.append_pair("limit", &limit.to_string());
    let (key, direction) = query.sort;
    if key == NamespaceSort::Name {
        pairs.append_pair("sort_key", "namespace");
    }
    if direction == Direction::Ascending {
        pairs.append_pair("sort_dir", "asc");
    }
    if let Some(marker) = &query.marker {
        pairs.append_pair("marker", marker);
    }
    if let Some(names) = &query.resource_types {
        pairs.append_pair("resource_types", &names.join(","));
    }
    if let Some(visibility) = &query.visibility {
        pairs.append_pair("visibility", visibility);
    }
    drop(pairs);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_name_what_is_not_the_servers_default() {
        let asked = |query: &NamespaceQuery| {
            let url = first_page(Url::parse("http://h/v2").unwrap(), query);
            url.query().unwrap_or_default().to_string()
        };
        assert_eq!(asked(&NamespaceQuery::default()), "limit=1000");
        let query = NamespaceQuery {
            resource_types: Some(vec!["OS::A".to_string(), "B".to_string()]),
            visibility: Some("public".to_string()),
            sort: (NamespaceSort::Name, Direction::Ascending),
            marker: Some("m".to_string()),
            limit: Some(7),
            page_size: Some(3),
        };
        assert_eq!(
            asked(&query),
            "limit=3&sort_key=namespace&sort_dir=asc&marker=m&resource_types=OS%3A%3AA%2CB&visibility=public"
        );
    }
}
