//! Names for completion, from a service.

use futures_util::TryStreamExt;

use super::images::{Reference, find};
use crate::Result;
use crate::model::metadef::NamespaceQuery;
use crate::model::{
    Fields, Image, ImageFilter, ImageQuery, NameQuery, Named, TaskQuery, Visibility,
};
use crate::service::ImageService;

/// The maximum number of images and tasks, which a service returns in one page.
const MAX_NAMES: u64 = 200;

/// Returns the names that a query asks for: of images and tasks the newest ones, of other things all.
///
/// # Errors
/// Errors of the service.
pub async fn names(service: &dyn ImageService, query: &NameQuery) -> Result<Vec<Named>> {
    let of_image = async |word: &str| find(service, Reference::IdOrName(word)).await;
    let plain = |names: Vec<String>| names.into_iter().map(Named::plain).collect();
    Ok(match query {
        NameQuery::Images(which) | NameQuery::ImageIds(which) => {
            let mut filter = ImageFilter::default();
            match which.statuses {
                [] => {}
                [one] => filter.status = Some(*one),
                several => {
                    let names: Vec<&str> = several.iter().map(|status| status.name()).collect();
                    let value = format!("in:{}", names.join(","));
                    filter.attributes.push(("status".to_string(), value));
                }
            }
            if which.unprotected {
                let unprotected = ("protected".to_string(), "false".to_string());
                filter.attributes.push(unprotected);
            }
            images(service, filter).await?
        }
        // No service lists deleted images.
        NameQuery::Restorable => Vec::new(),
        NameQuery::Members(image) => {
            let image = of_image(image).await?;
            if image.visibility != Visibility::Shared {
                return Ok(Vec::new());
            }
            let members = service.list_members(&image.id).await?.into_iter();
            members
                .map(|member| Named {
                    value: member.member_id,
                    about: member.status.name().to_string(),
                })
                .collect()
        }
        NameQuery::Tags(image) => plain(of_image(image).await?.tags),
        NameQuery::ImageProperties(image) => {
            let properties = of_image(image).await?.properties;
            plain(properties.into_iter().map(|(name, _)| name).collect())
        }
        NameQuery::Stores => {
            let stores = service.list_stores(false).await?.into_iter();
            stores
                .map(|store| Named {
                    value: store.id,
                    about: store.description.unwrap_or_default(),
                })
                .collect()
        }
        NameQuery::Namespaces => {
            let listed = service.list_namespaces(NamespaceQuery::default());
            let namespaces: Vec<_> = listed.try_concat().await?;
            plain(namespaces.into_iter().map(|one| one.name).collect())
        }
        NameQuery::Objects(namespace) => {
            let objects = service.list_objects(namespace).await?.into_iter();
            objects.map(|object| Named::plain(object.name)).collect()
        }
        NameQuery::Properties(namespace) => {
            let properties = service.list_properties(namespace).await?.into_iter();
            properties.map(|(name, _)| Named::plain(name)).collect()
        }
        NameQuery::NamespaceTags(namespace) => {
            let tags = service.list_tags(namespace).await?.into_iter();
            tags.map(|tag| Named::plain(tag.name)).collect()
        }
        NameQuery::AssociatedTypes(namespace) => {
            let types = service.list_associations(namespace).await?.into_iter();
            types
                .map(|association| Named::plain(association.name))
                .collect()
        }
        NameQuery::ResourceTypes => {
            let types = service.list_resource_types().await?.into_iter();
            types.map(|of_type| Named::plain(of_type.name)).collect()
        }
        NameQuery::Tasks => {
            let query = TaskQuery {
                page: Some(MAX_NAMES),
                limit: Some(MAX_NAMES),
                ..TaskQuery::default()
            };
            let tasks: Vec<_> = service.list_tasks(query).try_concat().await?;
            let tasks = tasks.into_iter();
            tasks
                .map(|task| Named {
                    value: task.id,
                    about: task.kind,
                })
                .collect()
        }
    })
}

async fn images(service: &dyn ImageService, filter: ImageFilter) -> Result<Vec<Named>> {
    let query = ImageQuery {
        filter,
        limit: Some(MAX_NAMES),
        fields: Fields::SHORT,
        ..ImageQuery::default()
    };
    let images: Vec<Image> = service.list_images(query).try_concat().await?;
    let images = images.into_iter();
    Ok(images
        .map(|image| Named {
            value: image.id,
            about: image.name.unwrap_or_default(),
        })
        .collect())
}
