//! Services and endpoints of Keystone's catalogue.
//!
//! *Source:* openstackclient, `identity/common.py` (`find_service_sdk`), `identity/v3/endpoint.py`.

use crate::model::identity::{Endpoint, EndpointQuery, Service};
use crate::remote::Identity;
use crate::{Error, ErrorKind, Result};

/// Returns the service with an ID, a name or a type; the first of these that fits counts.
///
/// # Errors
/// `Failed` if there is none, or several; then with their IDs.
pub async fn find_service(identity: &Identity, word: &str) -> Result<Service> {
    select_service(&identity.list_services().await?, word)
}

/// Returns the service that a word names.
fn select_service(services: &[Service], word: &str) -> Result<Service> {
    let keys: [fn(&Service) -> Option<&str>; 3] = [
        |service| Some(&service.id),
        |service| service.name.as_deref(),
        |service| Some(&service.kind),
    ];
    for (index, key) in keys.into_iter().enumerate() {
        let mut found: Vec<&Service> = services
            .iter()
            .filter(|service| key(service) == Some(word))
            .collect();
        let Some(one) = found.pop() else { continue };
        if found.is_empty() {
            return Ok(one.clone());
        }
        let message = if index == 1 {
            format!("More than one Service exists with the name '{word}'.")
        } else {
            format!("Multiple service matches found for '{word}', use an ID to be more specific.")
        };
        let ids: Vec<&str> = found
            .into_iter()
            .chain([one])
            .map(|s| s.id.as_str())
            .collect();
        return Err(Error::failed(message).hint(format!("Their IDs: {}.", ids.join(", "))));
    }
    Err(Error::failed(format!(
        "No service with a type, name or ID of '{word}' exists."
    )))
}

/// Returns the endpoint with an ID.
///
/// # Errors
/// `Failed` for an unknown one.
pub async fn find_endpoint(identity: &Identity, id: &str) -> Result<Endpoint> {
    identity.get_endpoint(id).await.map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            return Error::failed(format!("No Endpoint found for {id}")).because(error);
        }
        error
    })
}

/// Checks that a region exists.
///
/// # Errors
/// `Failed` for an unknown one; with the regions that exist.
pub async fn check_region(identity: &Identity, region: &str) -> Result<()> {
    let mut regions = identity.list_regions().await?;
    if regions.iter().any(|id| id == region) {
        return Ok(());
    }
    regions.sort_unstable();
    let known = if regions.is_empty() {
        "none".to_string()
    } else {
        regions.join(", ")
    };
    let error = Error::failed(format!("No Region found for {region}"));
    Err(error.hint(format!("Regions that exist: {known}.")))
}

/// Returns endpoints with their services: those that a query asks for, of a project's endpoints if one is given by its
/// ID. A service that has been deleted in the meantime is missing.
///
/// # Errors
/// Errors of the requests.
pub async fn list_endpoints(
    identity: &Identity,
    query: &EndpointQuery,
    project: Option<&str>,
) -> Result<Vec<(Endpoint, Option<Service>)>> {
    let endpoints = match project {
        Some(project) => {
            let mut endpoints = identity.list_project_endpoints(project).await?;
            endpoints.retain(|endpoint| query.matches(endpoint));
            endpoints
        }
        None => identity.list_endpoints(query).await?,
    };
    if endpoints.is_empty() {
        return Ok(Vec::new());
    }
    let services = identity.list_services().await?;
    let service = |id: &str| services.iter().find(|service| service.id == id).cloned();
    let with_service = endpoints.into_iter().map(|endpoint| {
        let service = service(&endpoint.service_id);
        (endpoint, service)
    });
    Ok(with_service.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(id: &str, name: &str, kind: &str) -> Service {
        Service {
            id: id.to_string(),
            name: Some(name.to_string()),
            kind: kind.to_string(),
            enabled: true,
            description: None,
        }
    }

    #[test]
    fn a_service_is_found_by_id_then_name_then_type() {
        let services = || {
            vec![
                service("1", "glance", "image"),
                service("2", "image", "other"),
                service("3", "twice", "volume"),
                service("4", "twice", "volume"),
                service("5", "1", "key-manager"),
            ]
        };
        for (word, id) in [("1", "1"), ("image", "2"), ("glance", "1"), ("other", "2")] {
            assert_eq!(select_service(&services(), word).unwrap().id, id, "{word}");
        }
        for (word, message) in [
            (
                "twice",
                "More than one Service exists with the name 'twice'.",
            ),
            (
                "volume",
                "Multiple service matches found for 'volume', use an ID to be more specific.",
            ),
            (
                "none",
                "No service with a type, name or ID of 'none' exists.",
            ),
        ] {
            let error = select_service(&services(), word).unwrap_err();
            assert_eq!(error.message(), message);
        }
    }
}
