//! Lists of images.

use futures_util::{StreamExt, TryStreamExt};
use glance_tools::ErrorKind::Invalid;
use glance_tools::model::{
    Direction, Fields, Image, ImageFilter, ImageQuery, ImageStatus, SortKey,
};
use glance_tools::service::{ImageService, Upload};
use serde_json::json;

use super::{Deployment, contract, new_image, raw_image};

contract! {
    lists_are_newest_first_and_sorted_as_asked
    filters_narrow_a_list
    operators_and_ranges_filter
    bad_filters_are_refused
    pages_follow_each_other_without_gaps
    pages_by_size_follow_each_other
    lists_hold_what_the_caller_may_see
    fields_that_were_not_asked_for_cost_nothing
    long_lists_come_in_chunks;

    local:
    // The real one leaves images without data out of all pages but the first in ascending order, and
    // gives the first page again and again in descending order.
    pages_by_size_hold_images_without_data
}

async fn names(service: &dyn ImageService, query: ImageQuery) -> Vec<String> {
    let images: Vec<Image> = service.list_images(query).try_concat().await.unwrap();
    images
        .into_iter()
        .map(|image| image.name.unwrap_or_default())
        .collect()
}

async fn five(on: &impl Deployment, service: &dyn ImageService) {
    let mut ids = Vec::new();
    for (name, attributes) in [
        (
            "delta",
            json!({"kind": "small", "tags": ["letter"], "min_disk": 1, "disk_format": "raw"}),
        ),
        (
            "alpha",
            json!({"kind": "small", "tags": ["letter", "first"], "min_disk": 2, "disk_format": "raw"}),
        ),
        (
            "charlie",
            json!({"kind": "small", "min_disk": 3, "disk_format": "qcow2"}),
        ),
        (
            "bravo",
            json!({"kind": "big", "min_disk": 4, "disk_format": "iso", "protected": true}),
        ),
        (
            "echo",
            json!({"kind": "big", "min_disk": 5, "visibility": "public"}),
        ),
    ] {
        let mut attributes = attributes;
        attributes["name"] = json!(name);
        let made = service.create_image(new_image(attributes)).await.unwrap();
        ids.push(made.id);
    }
    on.spread("images", &ids).await;
    service
        .create_image(new_image(json!({"name": "foxtrot", "os_hidden": true})))
        .await
        .unwrap();
}

async fn lists_are_newest_first_and_sorted_as_asked(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    five(&on, service.as_ref()).await;
    assert_eq!(
        names(service.as_ref(), ImageQuery::default()).await,
        ["echo", "bravo", "charlie", "alpha", "delta"]
    );
    let sorted = |sort: Vec<(SortKey, Direction)>| ImageQuery {
        sort,
        ..ImageQuery::default()
    };
    let by_name = sorted(vec![(SortKey::Name, Direction::Ascending)]);
    assert_eq!(
        names(service.as_ref(), by_name).await,
        ["alpha", "bravo", "charlie", "delta", "echo"]
    );
    let twice = sorted(vec![
        (SortKey::DiskFormat, Direction::Ascending),
        (SortKey::Name, Direction::Descending),
    ]);
    assert_eq!(
        names(service.as_ref(), twice).await,
        ["echo", "bravo", "charlie", "delta", "alpha"]
    );
}

async fn filters_narrow_a_list(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    five(&on, service.as_ref()).await;
    let filtered = async |filter: ImageFilter| {
        let sort = vec![(SortKey::Name, Direction::Ascending)];
        names(
            service.as_ref(),
            ImageQuery {
                filter,
                sort,
                ..ImageQuery::default()
            },
        )
        .await
    };
    let attribute = |name: &str, value: &str| ImageFilter {
        attributes: vec![(name.to_string(), value.to_string())],
        ..ImageFilter::default()
    };
    assert_eq!(filtered(attribute("kind", "big")).await, ["bravo", "echo"]);
    assert_eq!(
        filtered(attribute("disk_format", "raw")).await,
        ["alpha", "delta"]
    );
    assert_eq!(filtered(attribute("protected", "true")).await, ["bravo"]);
    assert_eq!(
        filtered(attribute("owner", "nobody")).await,
        Vec::<String>::new()
    );
    let both = ImageFilter {
        attributes: vec![
            ("kind".to_string(), "small".to_string()),
            ("name".to_string(), "alpha".to_string()),
        ],
        ..ImageFilter::default()
    };
    assert_eq!(filtered(both).await, ["alpha"]);
    let tags = |tags: &[&str]| ImageFilter {
        tags: tags.iter().map(|tag| (*tag).to_string()).collect(),
        ..ImageFilter::default()
    };
    assert_eq!(filtered(tags(&["letter"])).await, ["alpha", "delta"]);
    assert_eq!(filtered(tags(&["letter", "first"])).await, ["alpha"]);
    assert_eq!(
        filtered(ImageFilter {
            hidden: true,
            ..ImageFilter::default()
        })
        .await,
        ["foxtrot"]
    );
    let named = ImageFilter {
        name: Some("in:a".to_string()),
        ..ImageFilter::default()
    };
    assert_eq!(
        filtered(named).await,
        Vec::<String>::new(),
        "a name is taken as it is"
    );
    let public = ImageFilter {
        visibility: Some("public".to_string()),
        ..ImageFilter::default()
    };
    assert_eq!(filtered(public).await, ["echo"]);
    let queued = ImageFilter {
        status: Some(ImageStatus::Active),
        ..ImageFilter::default()
    };
    assert_eq!(filtered(queued).await, Vec::<String>::new());
}

async fn operators_and_ranges_filter(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    five(&on, service.as_ref()).await;
    let filtered = async |name: &str, value: &str| {
        let filter = ImageFilter {
            attributes: vec![(name.to_string(), value.to_string())],
            ..ImageFilter::default()
        };
        let sort = vec![(SortKey::Name, Direction::Ascending)];
        names(
            service.as_ref(),
            ImageQuery {
                filter,
                sort,
                ..ImageQuery::default()
            },
        )
        .await
    };
    assert_eq!(
        filtered("name", "in:alpha,\"bravo\",x").await,
        ["alpha", "bravo"]
    );
    assert_eq!(filtered("name", "eq:alpha").await, ["alpha"]);
    assert_eq!(filtered("min_disk_min", "4").await, ["bravo", "echo"]);
    assert_eq!(filtered("min_disk_max", "1").await, ["delta"]);
    assert_eq!(
        filtered("created_at", "gt:2000-01-01T00:00:00Z")
            .await
            .len(),
        5
    );
    assert_eq!(
        filtered("created_at", "lt:2000-01-01T00:00:00Z")
            .await
            .len(),
        0
    );
}

async fn bad_filters_are_refused(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for (name, value) in [
        ("size_min", "many"),
        ("name", "like:x"),
        ("created_at", "gt:soon"),
        ("created_at", "around:2000-01-01T00:00:00Z"),
        ("protected", "maybe"),
        ("name", "in:\"a"),
    ] {
        let attributes = vec![(name.to_string(), value.to_string())];
        let filter = ImageFilter {
            attributes,
            ..ImageFilter::default()
        };
        let query = ImageQuery {
            filter,
            ..ImageQuery::default()
        };
        let refused: Result<Vec<Image>, _> = service.list_images(query).try_concat().await;
        assert_eq!(refused.unwrap_err().kind(), Invalid, "{name}={value}");
    }
    for query in [
        ImageQuery {
            marker: Some("nowhere".to_string()),
            ..ImageQuery::default()
        },
        ImageQuery {
            filter: ImageFilter {
                visibility: Some("odd".to_string()),
                ..ImageFilter::default()
            },
            ..ImageQuery::default()
        },
    ] {
        let refused: Result<Vec<Image>, _> = service.list_images(query).try_concat().await;
        assert_eq!(refused.unwrap_err().kind(), Invalid);
    }
}

async fn pages_follow_each_other_without_gaps(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    five(&on, service.as_ref()).await;
    // Two more that are equal in most keys, and have no format.
    service
        .create_image(new_image(json!({"name": "alpha"})))
        .await
        .unwrap();
    service.create_image(new_image(json!({}))).await.unwrap();
    for key in SortKey::ALL {
        if key != SortKey::Size {
            pages_make_the_list(service.as_ref(), key).await;
        }
    }
}

/// Checks that pages of two, sorted by `key`, are the same as the whole list.
async fn pages_make_the_list(service: &dyn ImageService, key: SortKey) {
    for direction in [Direction::Ascending, Direction::Descending] {
        let query = ImageQuery {
            sort: vec![(key, direction)],
            ..ImageQuery::default()
        };
        let whole: Vec<Image> = service
            .list_images(query.clone())
            .try_concat()
            .await
            .unwrap();
        let mut paged = Vec::new();
        while paged.len() < whole.len() {
            let marker = paged.last().map(|image: &Image| image.id.clone());
            let query = ImageQuery {
                limit: Some(2),
                marker,
                ..query.clone()
            };
            let page: Vec<Image> = service.list_images(query).try_concat().await.unwrap();
            assert!(!page.is_empty() && page.len() <= 2, "{key:?} {direction:?}");
            paged.extend(page);
        }
        assert_eq!(paged, whole, "{key:?} {direction:?}");
    }
}

async fn pages_by_size_follow_each_other(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for size in [3, 1, 2, 3, 0] {
        let image = raw_image(service.as_ref(), "x").await;
        let upload = Upload::new(super::data::pipe(&b"abc"[..size]));
        service.upload_image(&image.id, upload).await.unwrap();
    }
    pages_make_the_list(service.as_ref(), SortKey::Size).await;
}

async fn pages_by_size_hold_images_without_data(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    five(&on, service.as_ref()).await;
    pages_make_the_list(service.as_ref(), SortKey::Size).await;
}

async fn lists_hold_what_the_caller_may_see(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    for (owner, visibility) in [
        ("demo", "private"),
        ("demo", "shared"),
        ("demo", "community"),
        ("demo", "public"),
        ("other", "private"),
        ("other", "shared"),
        ("other", "community"),
        ("other", "public"),
    ] {
        let name = format!("{owner}-{visibility}");
        let owner = on.project(owner).await;
        let attributes = json!({"name": name, "owner": owner, "visibility": visibility});
        admin.create_image(new_image(attributes)).await.unwrap();
    }
    let seen = async |caller: &str, visibility: Option<&str>| {
        let service = on.service(caller).await;
        let filter = ImageFilter {
            visibility: visibility.map(str::to_string),
            ..ImageFilter::default()
        };
        let sort = vec![(SortKey::Name, Direction::Ascending)];
        let query = ImageQuery {
            filter,
            sort,
            member_status: None,
            ..ImageQuery::default()
        };
        names(service.as_ref(), query).await
    };
    let own = [
        "demo-community",
        "demo-private",
        "demo-public",
        "demo-shared",
        "other-public",
    ];
    assert_eq!(seen("demo:member:u", None).await, own);
    assert_eq!(seen("demo:reader:u", None).await, own);
    assert_eq!(
        seen("demo:member:u", Some("community")).await,
        ["demo-community", "other-community"]
    );
    assert_eq!(seen("demo:member:u", Some("all")).await.len(), 6);
    assert_eq!(
        seen("demo:member:u", Some("private")).await,
        ["demo-private"]
    );
    assert_eq!(
        seen("third:member:u", None).await,
        ["demo-public", "other-public"]
    );
    assert_eq!(seen("admin:admin:u", Some("all")).await.len(), 8);
    assert_eq!(
        seen("admin:admin:u", None).await.len(),
        6,
        "without other projects' community images"
    );
}

async fn fields_that_were_not_asked_for_cost_nothing(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    five(&on, service.as_ref()).await;
    let query = ImageQuery {
        fields: Fields::SHORT,
        ..ImageQuery::default()
    };
    let images: Vec<Image> = service.list_images(query).try_concat().await.unwrap();
    assert_eq!(images.len(), 5);
    assert!(
        images
            .iter()
            .all(|image| !image.id.is_empty() && image.name.is_some())
    );
    let images: Vec<Image> = service
        .list_images(ImageQuery::default())
        .try_concat()
        .await
        .unwrap();
    for image in images {
        let mut one = service.get_image(&image.id).await.unwrap();
        one.tags.sort();
        let mut image = image;
        image.tags.sort();
        assert_eq!(image, one);
    }
}

async fn long_lists_come_in_chunks(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for number in 0..1201 {
        let attributes = json!({"name": format!("{number:05}"), "n": number.to_string()});
        service.create_image(new_image(attributes)).await.unwrap();
    }
    let sort = vec![(SortKey::Name, Direction::Ascending)];
    let mut chunks = service.list_images(ImageQuery {
        sort,
        ..ImageQuery::default()
    });
    let (mut count, mut most) = (0, 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        most = most.max(chunk.len());
        for image in chunk {
            assert_eq!(image.name.as_deref(), Some(format!("{count:05}").as_str()));
            assert_eq!(image.property("n"), Some(count.to_string().as_str()));
            count += 1;
        }
    }
    assert_eq!(count, 1201);
    assert!(most <= 1000, "not all at once");
}
