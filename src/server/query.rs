//! The parameters of lists, and the links between their pages.
//!
//! *Source:* `RequestDeserializer.index` and `ImagesController.index` in `glance/api/v2/images.py` of the reference
//! implementation.

use url::form_urlencoded;

use crate::config::ServerSettings;
use crate::model::{Direction, ImageFilter, ImageQuery, MemberStatus, SortKey, Visibility};
use crate::{Error, Result};

/// A list that was asked for.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The query, with its limit.
    pub query: ImageQuery,
    /// The number of images on the page.
    pub limit: u64,
}

/// Reads the parameters of a list of images.
///
/// # Errors
/// `Invalid` for an invalid value.
pub fn listing(parameters: &[(String, String)], settings: &ServerSettings) -> Result<Listing> {
    let mut query = ImageQuery::default();
    let mut asked = None;
    let (mut sort, mut keys, mut directions) = (None, Vec::new(), Vec::new());
    let mut filter = ImageFilter::default();
    for (name, value) in parameters {
        match name.as_str() {
            "limit" => asked = Some(limit(value)?),
            "marker" => query.marker = Some(value.clone()),
            "member_status" => query.member_status = member_status(value)?,
            "sort" => sort = Some(value.trim()),
            "sort_key" => keys.push(sort_key(value.trim())?),
            "sort_dir" => directions.push(direction(value.trim())?),
            "tag" => filter.tags.push(value.trim().to_string()),
            "visibility" => filter.visibility = Some(visibility(value)?),
            "os_hidden" => filter.hidden = boolean(name, &value.to_ascii_lowercase())?,
            "changes-since" => {
                return Err(Error::invalid(
                    "The \"changes-since\" filter is no longer available on v2.",
                ));
            }
            _ => filter.attributes.push((name.clone(), value.clone())),
        }
    }
    query.sort = match sort {
        Some(_) if !keys.is_empty() || !directions.is_empty() => {
            return Err(Error::invalid(
                "Old and new sorting syntax cannot be combined",
            ));
        }
        Some(text) => sorted(text)?,
        None => paired(&keys, &directions)?,
    };
    query.filter = filter;
    let limit = asked
        .unwrap_or(settings.default_limit)
        .min(settings.maximum_limit);
    query.limit = Some(limit);
    Ok(Listing { query, limit })
}

/// The links of a page of a list to the first page and to the next one.
pub struct Links<'p> {
    path: &'static str,
    /// The parameters of the request without its marker.
    kept: Vec<&'p (String, String)>,
}

impl<'p> Links<'p> {
    /// Returns the links of the list at `path` for the parameters of a request.
    pub fn new(path: &'static str, parameters: &'p [(String, String)]) -> Self {
        let kept = parameters.iter().filter(|(name, _)| name != "marker");
        Self {
            path,
            kept: kept.collect(),
        }
    }

    /// Returns the link to the first page.
    pub fn first(&self) -> String {
        self.link(None)
    }

    /// Returns the link to the page after an item.
    pub fn after(&self, marker: &str) -> String {
        self.link(Some(marker))
    }

    fn link(&self, marker: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.kept.iter().map(|(name, value)| (name, value)));
        query.extend_pairs(marker.map(|marker| ("marker", marker)));
        match query.finish() {
            query if query.is_empty() => self.path.to_string(),
            query => format!("{}?{query}", self.path),
        }
    }
}

/// Reads the maximum number of items of a page.
///
/// # Errors
/// `Invalid` for anything but a whole number from 0 on.
pub fn limit(text: &str) -> Result<u64> {
    let number: i128 = text
        .trim()
        .parse()
        .map_err(|_| Error::invalid("limit param must be an integer"))?;
    if number < 0 {
        return Err(Error::invalid("limit param must be positive"));
    }
    Ok(u64::try_from(number).unwrap_or(u64::MAX))
}

fn member_status(text: &str) -> Result<Option<MemberStatus>> {
    if text == "all" {
        return Ok(None);
    }
    let status = MemberStatus::parse(text);
    status
        .map(Some)
        .ok_or_else(|| Error::invalid(format!("Invalid status: {text}")))
}

fn visibility(text: &str) -> Result<String> {
    if text == "all" || Visibility::parse(text).is_some() {
        return Ok(text.to_string());
    }
    Err(Error::invalid(format!("Invalid visibility value: {text}")))
}

fn boolean(name: &str, text: &str) -> Result<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::invalid(format!(
            "Invalid value '{text}' for '{name}' filter. Valid values are 'true' or 'false'."
        ))),
    }
}

fn sort_key(text: &str) -> Result<SortKey> {
    SortKey::parse(text).ok_or_else(|| {
        let known: Vec<&str> = SortKey::ALL.into_iter().map(SortKey::name).collect();
        Error::invalid(format!(
            "Invalid sort key: {text}. It must be one of the following: {}.",
            known.join(", ")
        ))
    })
}

fn direction(text: &str) -> Result<Direction> {
    Direction::parse(text).ok_or_else(|| Error::invalid(format!("Invalid sort direction: {text}")))
}

/// Reads `name:asc,size`.
fn sorted(text: &str) -> Result<Vec<(SortKey, Direction)>> {
    let part = |part: &str| {
        let (key, order) = part.split_once(':').unwrap_or((part, ""));
        let order = match order.trim() {
            "" => Direction::Descending,
            order => direction(order)?,
        };
        Ok((sort_key(key.trim())?, order))
    };
    text.split(',').map(part).collect()
}

/// Pairs keys and directions of the older syntax: one direction is for all keys.
fn paired(keys: &[SortKey], directions: &[Direction]) -> Result<Vec<(SortKey, Direction)>> {
    if directions.len() > 1 && directions.len() != keys.len() {
        return Err(Error::invalid(
            "Number of sort dirs does not match the number of sort keys",
        ));
    }
    let keys = if keys.is_empty() {
        &[SortKey::CreatedAt]
    } else {
        keys
    };
    let first = directions.first().copied().unwrap_or(Direction::Descending);
    let of = |at: usize| directions.get(at).copied().unwrap_or(first);
    Ok(keys
        .iter()
        .enumerate()
        .map(|(at, key)| (*key, of(at)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::Direction::{Ascending, Descending};
    use super::*;
    use crate::config::Settings;

    fn read(text: &str) -> Result<Listing> {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings::for_data_dir(directory.path()).unwrap();
        let pairs = url::form_urlencoded::parse(text.as_bytes()).into_owned();
        let pairs: Vec<(String, String)> = pairs.collect();
        listing(&pairs, settings.server.get().unwrap())
    }

    #[test]
    fn both_ways_to_sort_are_read() {
        for (text, sort) in [
            ("", vec![(SortKey::CreatedAt, Descending)]),
            (
                "sort=name:asc,size",
                vec![(SortKey::Name, Ascending), (SortKey::Size, Descending)],
            ),
            ("sort_key=name", vec![(SortKey::Name, Descending)]),
            (
                "sort_key=name&sort_key=id&sort_dir=asc",
                vec![(SortKey::Name, Ascending), (SortKey::Id, Ascending)],
            ),
            (
                "sort_key=name&sort_dir=asc&sort_key=id&sort_dir=desc",
                vec![(SortKey::Name, Ascending), (SortKey::Id, Descending)],
            ),
            ("sort_dir=asc", vec![(SortKey::CreatedAt, Ascending)]),
        ] {
            assert_eq!(read(text).unwrap().query.sort, sort, "{text}");
        }
        for (text, message) in [
            ("sort=name&sort_key=id", "Old and new"),
            (
                "sort_key=name&sort_dir=asc&sort_dir=desc",
                "Number of sort dirs",
            ),
            ("sort_key=x", "Invalid sort key: x."),
            ("sort=name:up", "Invalid sort direction: up"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message().starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_limit_is_a_number_below_that_of_the_service() {
        assert_eq!(read("").unwrap().limit, 25);
        assert_eq!(read("limit=3").unwrap().limit, 3);
        assert_eq!(read("limit=0").unwrap().limit, 0);
        assert_eq!(read("limit=5000").unwrap().limit, 1000);
        assert_eq!(read("limit=99999999999999999999999").unwrap().limit, 1000);
        assert!(read("limit=-1").is_err());
        assert!(read("limit=x").is_err());
    }

    #[test]
    fn other_parameters_are_filters() {
        let query = read(
            "name=in:a,b&tag=x&tag=y&visibility=all&os_hidden=True&color=red&member_status=all",
        );
        let query = query.unwrap().query;
        assert_eq!(query.filter.tags, ["x", "y"]);
        assert!(query.filter.hidden);
        assert_eq!(query.member_status, None);
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        assert_eq!(
            query.filter.attributes,
            [pair("name", "in:a,b"), pair("color", "red")]
        );
        assert!(read("visibility=x").is_err());
        assert!(read("changes-since=x").is_err());
    }
}
