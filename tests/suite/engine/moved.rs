//! Downloads of images whose data is deleted or moved between the reading of the record and that of the data.

use std::sync::Arc;

use glance_tools::ErrorKind::NotFound;
use glance_tools::service::{ImageData, Images, Reading};

use super::locations::{WITH_WEB, add, queued, serve};
use crate::contract::data::read_source;
use crate::contract::kind;
use crate::support::glance::{Answer, Exchange, Server, tricks};
use crate::support::{Place, block_on};

/// Runs a download of an image at `/a.img` of a web server, whose first answer is 404 after the commands of
/// `change` have run; `{id}` and `{url}` stand for the image's ID and the server's URL.
fn download_during(change: &'static [&'static [&'static str]]) -> glance_tools::Result<Vec<u8>> {
    let place = Arc::new(Place::new());
    place.configure(WITH_WEB);
    let server = Server::start();
    let head = Answer::new(200, "text/plain", b"moved").head();
    server.on("HEAD", "/a.img", 1..=usize::MAX, tricks::raw(head));
    serve(&server, "/b.img", b"moved");
    block_on(async {
        let local = place.open().await;
        let id = queued(&local).await;
        add(&local, &id, &format!("{}/a.img", server.url())).await?;
        let (at, image, url) = (Arc::clone(&place), id.clone(), server.url());
        let change = Box::new(move |exchange: &mut Exchange<'_>| {
            exchange.read_all();
            for words in change {
                let filled = words.iter().map(|word| word.replace("{id}", &image));
                let filled: Vec<String> = filled.map(|word| word.replace("{url}", &url)).collect();
                let filled: Vec<&str> = filled.iter().map(String::as_str).collect();
                at.glance(&filled).ok();
            }
            exchange.send(&Answer::new(404, "text/plain", b"gone"))
        });
        server.on("GET", "/a.img", 1..=1, change);
        let bytes = local.open_image(&id, Reading::default()).await?;
        let data = read_source(bytes.source.unwrap()).await;
        local.get_image(&id).await?;
        Ok(data)
    })
}

#[test]
fn an_image_that_is_deleted_before_its_data_is_opened_is_not_found() {
    assert_eq!(
        kind(download_during(&[&["image-delete", "{id}"]])),
        NotFound
    );
}

#[test]
fn data_that_is_moved_before_it_is_opened_is_read_where_it_is_now() {
    let moved = download_during(&[
        &["location-add", "--url", "{url}/b.img", "{id}"],
        &["location-delete", "--url", "{url}/a.img", "{id}"],
    ]);
    assert_eq!(moved.unwrap(), b"moved");
}
