//! Rows of images, their properties, tags and locations.

use std::collections::HashMap;

use serde_json::Map;

use crate::local::catalog::db::addresses::AddressCipher;
use crate::local::catalog::db::columns::{Column, Columns, columns};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Dialect, Sql, Transaction};
use crate::model::{Fields, Image, ImageStatus, Location, MultiHash, Timestamp, Visibility};
use crate::{Error, Result};

columns! {
    /// The columns of an image, those that every list needs first.
    Attribute {
        Id = "images.id",
        Name = "images.name",
        Status = "images.status";
        Size = "images.size",
        VirtualSize = "images.virtual_size",
        Visibility = "images.visibility",
        Protected = "images.protected",
        Hidden = "images.os_hidden",
        Owner = "images.owner",
        DiskFormat = "images.disk_format",
        ContainerFormat = "images.container_format",
        MinDisk = "images.min_disk",
        MinRam = "images.min_ram",
        Checksum = "images.checksum",
        HashAlgorithm = "images.os_hash_algo",
        HashValue = "images.os_hash_value",
        CreatedAt = "images.created_at",
        UpdatedAt = "images.updated_at",
    }
}

/// Returns the columns of images that `fields` asks for, comma-separated.
pub(in crate::local::catalog) fn selected(fields: Fields) -> &'static str {
    if fields.attributes {
        Attribute::SELECTED
    } else {
        Attribute::SUMMARY
    }
}

/// Reads an image from a row of the columns that [`selected`] returns for the same `fields`, without its children.
pub(in crate::local::catalog) fn read_image(row: &impl Columns, fields: Fields) -> Result<Image> {
    let mut image = Image::queued(row.some_owned(Attribute::Id)?, Timestamp::EPOCH);
    image.name = row.owned(Attribute::Name)?;
    image.status = row
        .some_text(Attribute::Status)?
        .parse()
        .map_err(|e| Error::internal("the catalogue holds an unknown status").because(e))?;
    if !fields.attributes {
        return Ok(image);
    }
    let visibility = row.some_text(Attribute::Visibility)?;
    image.size = bytes(row.integer(Attribute::Size)?);
    image.virtual_size = bytes(row.integer(Attribute::VirtualSize)?);
    image.visibility = Visibility::parse(&visibility).ok_or_else(|| {
        Error::internal(format!(
            "the catalogue holds an unknown visibility '{visibility}'"
        ))
    })?;
    image.protected = row.flag(Attribute::Protected)?;
    image.hidden = row.flag(Attribute::Hidden)?;
    image.owner = row.owned(Attribute::Owner)?;
    image.disk_format = row.owned(Attribute::DiskFormat)?;
    image.container_format = row.owned(Attribute::ContainerFormat)?;
    image.min_disk = row.some_integer(Attribute::MinDisk)?;
    image.min_ram = row.some_integer(Attribute::MinRam)?;
    image.checksum = row.owned(Attribute::Checksum)?;
    image.hash = row
        .owned(Attribute::HashAlgorithm)?
        .zip(row.owned(Attribute::HashValue)?)
        .map(|(algorithm, value)| MultiHash { algorithm, value });
    image.created_at = row
        .moment(Attribute::CreatedAt)?
        .unwrap_or(Timestamp::EPOCH);
    image.updated_at = row
        .moment(Attribute::UpdatedAt)?
        .unwrap_or(image.created_at);
    Ok(image)
}

/// Returns a size in bytes from a column that may be empty.
pub(in crate::local::catalog) fn bytes(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}

/// An image with all that the engine knows about it.
#[derive(Clone, Debug)]
pub struct StoredImage {
    /// The record, without locations and stores, which not every caller is shown.
    pub image: Image,
    /// The locations of its data.
    pub locations: Vec<Location>,
    /// Whether the caller's project is a member of it.
    pub is_member: bool,
}

/// Loads one image, whether or not the caller may see it; None if it does not exist or is deleted.
pub(in crate::local::catalog) async fn load(
    on: &impl Run,
    id: &str,
    project: &str,
) -> Result<Option<StoredImage>> {
    if id.len() > 36 {
        return Ok(None);
    }
    let sql = Sql::new("SELECT ").text(Attribute::SELECTED).with(
        " FROM images WHERE id = ? AND deleted + 0 = ?",
        [id.into(), false.into()],
    );
    let sql = sql.text(on.lock());
    let Some(row) = on.row(sql).await? else {
        return Ok(None);
    };
    let mut images = vec![read_image(&row, Fields::ALL)?];
    if images[0].id != id {
        // MySQL ignores case when it compares strings, but data and journals are named by the exact ID.
        return Ok(None);
    }
    load_children(on, &mut images, Fields::ALL).await?;
    let Some(mut image) = images.pop() else {
        return Ok(None);
    };
    let is_member = image.visibility == Visibility::Shared && is_member(on, id, project).await?;
    let locations = image.locations.take().unwrap_or_default();
    Ok(Some(StoredImage {
        image,
        locations,
        is_member,
    }))
}

/// Returns whether an image is shared with a project.
async fn is_member(on: &impl Run, id: &str, project: &str) -> Result<bool> {
    let sql = Sql::new("SELECT 1 FROM image_members").with(
        " WHERE image_id = ? AND member = ? AND deleted + 0 = ? LIMIT 1",
        [id.into(), project.into(), false.into()],
    );
    Ok(on.row(sql).await?.is_some())
}

/// Loads the children of `images` that `fields` asks for, with one query per table.
pub(in crate::local::catalog) async fn load_children(
    on: &impl Run,
    images: &mut [Image],
    fields: Fields,
) -> Result<()> {
    let mut parents = Parents::new(images, fields, on.cipher());
    for child in Child::asked(fields) {
        for row in on.rows(parents.select(child)).await? {
            parents.adopt(child, &row)?;
        }
    }
    Ok(())
}

columns! {
    /// The columns of a property.
    PropertyColumn {
        Image = "image_id",
        Name = "name",
        Value = "value",
    }
}

columns! {
    /// The columns of a tag.
    TagColumn {
        Image = "image_id",
        Value = "value",
    }
}

columns! {
    /// The columns of a location.
    LocationColumn {
        Image = "image_id",
        Url = "value",
        Metadata = "meta_data",
    }
}

/// A kind of rows of which an image may have several.
#[derive(Clone, Copy)]
pub(in crate::local::catalog) enum Child {
    Property,
    Tag,
    Location,
}

impl Child {
    /// Returns the kinds that `fields` asks for.
    pub(in crate::local::catalog) fn asked(fields: Fields) -> impl Iterator<Item = Self> {
        [
            (fields.properties, Self::Property),
            (fields.tags, Self::Tag),
            (fields.locations, Self::Location),
        ]
        .into_iter()
        .filter_map(|(asked, child)| asked.then_some(child))
    }

    /// Returns the table, and the columns that are read.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Property => ("image_properties", PropertyColumn::SELECTED),
            Self::Tag => ("image_tags", TagColumn::SELECTED),
            Self::Location => ("image_locations", LocationColumn::SELECTED),
        }
    }

    /// Returns the column of the ID of the image.
    fn image(self) -> Column {
        match self {
            Self::Property => PropertyColumn::Image.into(),
            Self::Tag => TagColumn::Image.into(),
            Self::Location => LocationColumn::Image.into(),
        }
    }

    /// Reads a row of the columns that [`Parents::select`] names.
    fn read(self, row: &impl Columns, image: &mut Image, cipher: &AddressCipher) -> Result<()> {
        match self {
            Self::Property => {
                let name = row.some_owned(PropertyColumn::Name)?;
                let value = row.owned(PropertyColumn::Value)?.unwrap_or_default();
                image.properties.push((name, value));
            }
            Self::Tag => image.tags.push(row.some_owned(TagColumn::Value)?),
            Self::Location => {
                let location = Location {
                    url: cipher.read(&image.id, row.some_owned(LocationColumn::Url)?)?,
                    metadata: read_metadata(row.text(LocationColumn::Metadata)?.as_deref())?,
                };
                image.locations.get_or_insert_default().push(location);
            }
        }
        Ok(())
    }
}

/// Images whose children are loaded.
pub(in crate::local::catalog) struct Parents<'i> {
    images: &'i mut [Image],
    /// The index of each image, by its ID.
    places: HashMap<String, usize>,
    /// The cipher of the addresses of their data.
    cipher: &'i AddressCipher,
}

impl<'i> Parents<'i> {
    /// Creates the collection of images without children.
    pub(in crate::local::catalog) fn new(
        images: &'i mut [Image],
        fields: Fields,
        cipher: &'i AddressCipher,
    ) -> Self {
        let mut places = HashMap::with_capacity(images.len());
        for (place, image) in images.iter_mut().enumerate() {
            image.locations = fields.locations.then(Vec::new);
            places.insert(image.id.clone(), place);
        }
        Self {
            images,
            places,
            cipher,
        }
    }

    /// Returns the query for all their children of one kind.
    pub(in crate::local::catalog) fn select(&self, child: Child) -> Sql {
        let (table, columns) = child.source();
        Sql::new(format!(
            "SELECT {columns} FROM {table} WHERE deleted + 0 = "
        ))
        .with("?", [false.into()])
        .text(" AND image_id IN ")
        .list(self.images.iter().map(|image| image.id.as_str().into()))
        .text(" ORDER BY id")
    }

    /// Adds a child, from a row of the query, to its image.
    pub(in crate::local::catalog) fn adopt(
        &mut self,
        child: Child,
        row: &impl Columns,
    ) -> Result<()> {
        let place = self.places.get(&*row.some_text(child.image())?);
        let image = place.and_then(|place| self.images.get_mut(*place));
        let image =
            image.ok_or_else(|| Error::internal("a row of an image that was not selected"))?;
        child.read(row, image, self.cipher)
    }
}

/// Returns a number of bytes as a column holds it.
fn number(bytes: Option<u64>) -> Result<Option<i64>> {
    let number = bytes.map(|bytes| {
        i64::try_from(bytes).map_err(|_| Error::too_large(format!("{bytes} bytes are too many")))
    });
    number.transpose()
}

/// Reads the metadata of a location; an empty column is an empty map.
pub(in crate::local::catalog) fn read_metadata(
    text: Option<&str>,
) -> Result<Map<String, serde_json::Value>> {
    match text {
        None | Some("") => Ok(Map::new()),
        Some(text) => serde_json::from_str(text).map_err(|e| {
            Error::internal("the catalogue holds location metadata that is not JSON").because(e)
        }),
    }
}

impl Transaction {
    /// Loads one image; see [`crate::local::catalog::Catalog::load_image`].
    pub async fn load_image(&self, id: &str, project: &str) -> Result<Option<StoredImage>> {
        load(self, id, project).await
    }

    /// Records a new image with its properties and tags.
    ///
    /// # Errors
    /// `Conflict` if the ID was ever used.
    pub async fn insert_image(&self, image: &Image) -> Result<()> {
        let taken =
            Sql::new("SELECT 1 FROM images").with(" WHERE id = ?", [image.id.as_str().into()]);
        if self.row(taken).await?.is_some() {
            return Err(Error::conflict(format!(
                "Image ID {} already exists!",
                image.id
            )));
        }
        let now = image.created_at.to_catalog();
        let columns = "INSERT INTO images (id, name, status, created_at, updated_at, deleted, disk_format, \
             container_format, owner, min_disk, min_ram, protected, visibility, os_hidden) VALUES ";
        let sql = Sql::new(columns).list([
            image.id.as_str().into(),
            image.name.clone().into(),
            image.status.name().into(),
            now.as_str().into(),
            now.as_str().into(),
            false.into(),
            image.disk_format.clone().into(),
            image.container_format.clone().into(),
            image.owner.clone().into(),
            image.min_disk.into(),
            image.min_ram.into(),
            image.protected.into(),
            image.visibility.name().into(),
            image.hidden.into(),
        ]);
        self.execute(sql).await?;
        for (name, value) in &image.properties {
            self.insert_property(&image.id, name, value, &now).await?;
        }
        for tag in &image.tags {
            self.insert_tag(&image.id, tag, &now).await?;
        }
        Ok(())
    }

    /// Records the differences between two states of an image, other than its status and what belongs to its data.
    pub async fn update_image(&self, before: &Image, after: &Image) -> Result<()> {
        let now = after.updated_at.to_catalog();
        let sql = Sql::new("UPDATE images SET ").with(
            "name = ?, disk_format = ?, container_format = ?, owner = ?, min_disk = ?, min_ram = ?, \
             protected = ?, visibility = ?, os_hidden = ?, updated_at = ? WHERE id = ?",
            [
                after.name.clone().into(),
                after.disk_format.clone().into(),
                after.container_format.clone().into(),
                after.owner.clone().into(),
                after.min_disk.into(),
                after.min_ram.into(),
                after.protected.into(),
                after.visibility.name().into(),
                after.hidden.into(),
                now.as_str().into(),
                after.id.as_str().into(),
            ],
        );
        self.execute(sql).await?;
        // Removals come first: the database may take the name of a new property for that of a removed one.
        for (name, _) in before
            .properties
            .iter()
            .filter(|(name, _)| after.property(name).is_none())
        {
            self.delete_children("image_properties", "name", &after.id, Some(name), &now)
                .await?;
        }
        for (name, value) in &after.properties {
            match before.property(name) {
                Some(old) if old == value => {}
                Some(_) => {
                    let sql = Sql::new("UPDATE image_properties SET ").with(
                        "value = ?, updated_at = ? WHERE image_id = ? AND name = ?",
                        [
                            value.as_str().into(),
                            now.as_str().into(),
                            after.id.as_str().into(),
                            name.as_str().into(),
                        ],
                    );
                    self.execute(sql).await?;
                }
                None => self.insert_property(&after.id, name, value, &now).await?,
            }
        }
        for tag in after.tags.iter().filter(|tag| !before.tags.contains(tag)) {
            self.insert_tag(&after.id, tag, &now).await?;
        }
        for tag in before.tags.iter().filter(|tag| !after.tags.contains(tag)) {
            self.delete_children("image_tags", "value", &after.id, Some(tag), &now)
                .await?;
        }
        Ok(())
    }

    /// Moves an image from one status to the next; whether it was in the first one.
    ///
    /// Becoming queued takes its size away.
    pub async fn set_status(&self, id: &str, from: ImageStatus, to: ImageStatus) -> Result<bool> {
        if !from.may_become(to) {
            return Err(Error::conflict(format!(
                "Image status transition from {from} to {to} is not allowed"
            )));
        }
        let sizes = if to == ImageStatus::Queued {
            ", size = NULL, virtual_size = NULL"
        } else {
            ""
        };
        let sql = Sql::new("UPDATE images SET status = ?, updated_at = ?")
            .with(sizes, [to.name().into(), self.now().to_catalog().into()]);
        let sql = sql.with(
            " WHERE id = ? AND status = ? AND deleted + 0 = ?",
            [id.into(), from.name().into(), false.into()],
        );
        Ok(self.execute(sql).await? == 1)
    }

    /// Records the size and the hashes of the data of an image, which makes it active. Returns whether its status was
    /// `from`; nothing is changed otherwise.
    pub async fn activate(&self, image: &Image, from: ImageStatus) -> Result<bool> {
        let hash = image.hash.as_ref();
        let sql = Sql::new("UPDATE images SET ").with(
            "status = ?, size = ?, virtual_size = ?, checksum = ?, os_hash_algo = ?, os_hash_value = ?, \
             updated_at = ? WHERE id = ? AND status = ? AND deleted + 0 = ?",
            [
                ImageStatus::Active.name().into(),
                number(image.size)?.into(),
                number(image.virtual_size)?.into(),
                image.checksum.clone().into(),
                hash.map(|hash| hash.algorithm.clone()).into(),
                hash.map(|hash| hash.value.clone()).into(),
                self.now().to_catalog().into(),
                image.id.as_str().into(),
                from.name().into(),
                false.into(),
            ],
        );
        Ok(self.execute(sql).await? > 0)
    }

    /// Records the size of the staged data of an image. Returns whether it was `uploading`; nothing is changed otherwise.
    pub async fn set_staged_size(&self, id: &str, size: u64) -> Result<bool> {
        let sql = Sql::new("UPDATE images SET ").with(
            "size = ?, updated_at = ? WHERE id = ? AND status = ? AND deleted + 0 = ?",
            [
                number(Some(size))?.into(),
                self.now().to_catalog().into(),
                id.into(),
                ImageStatus::Uploading.name().into(),
                false.into(),
            ],
        );
        Ok(self.execute(sql).await? > 0)
    }

    /// Marks an image and its children deleted. Its status becomes `to`, and that of its locations accordingly.
    pub async fn delete_image(&self, id: &str, to: ImageStatus) -> Result<()> {
        let now = self.now().to_catalog();
        let gone = to == ImageStatus::Deleted;
        let sql = Sql::new("UPDATE images SET ").with(
            "status = ?, deleted = ?, deleted_at = ?, updated_at = ? WHERE id = ?",
            [
                to.name().into(),
                true.into(),
                now.as_str().into(),
                now.as_str().into(),
                id.into(),
            ],
        );
        self.execute(sql).await?;
        let sql = Sql::new("UPDATE image_locations SET ").with(
            "status = ?, deleted = ?, deleted_at = ?, updated_at = ? WHERE image_id = ? AND deleted + 0 = ?",
            [
                if gone { "deleted" } else { "pending_delete" }.into(),
                true.into(),
                now.as_str().into(),
                now.as_str().into(),
                id.into(),
                false.into(),
            ],
        );
        self.execute(sql).await?;
        for table in ["image_properties", "image_tags", "image_members"] {
            self.delete_children(table, "", id, None, &now).await?;
        }
        Ok(())
    }

    /// Adds a tag that the image does not have.
    pub async fn insert_tag(&self, id: &str, tag: &str, now: &str) -> Result<()> {
        let columns =
            "INSERT INTO image_tags (image_id, value, created_at, updated_at, deleted) VALUES ";
        self.execute(Sql::new(columns).list([
            id.into(),
            tag.into(),
            now.into(),
            now.into(),
            false.into(),
        ]))
        .await?;
        Ok(())
    }

    /// Adds a property that the image does not have.
    async fn insert_property(&self, id: &str, name: &str, value: &str, now: &str) -> Result<()> {
        // Names are unique, including those of deleted properties: such a row is used again. A row that is not deleted
        // has a name that differs in case alone, which MySQL ignores: it is not overwritten.
        let again = Sql::new("UPDATE image_properties SET ").with(
            "name = ?, value = ?, deleted = ?, updated_at = ? WHERE image_id = ? AND name = ? AND deleted + 0 = ?",
            [
                name.into(),
                value.into(),
                false.into(),
                now.into(),
                id.into(),
                name.into(),
                true.into(),
            ],
        );
        if self.execute(again).await? > 0 {
            return Ok(());
        }
        let columns = "INSERT INTO image_properties (image_id, name, value, created_at, updated_at, deleted) VALUES ";
        let row = [
            id.into(),
            name.into(),
            value.into(),
            now.into(),
            now.into(),
            false.into(),
        ];
        self.execute(Sql::new(columns).list(row)).await?;
        Ok(())
    }

    /// Marks rows of an image deleted: all of a table, or those whose `key` is `value`.
    pub(in crate::local::catalog) async fn delete_children(
        &self,
        table: &str,
        key: &str,
        id: &str,
        value: Option<&str>,
        now: &str,
    ) -> Result<()> {
        let mut sql = Sql::new(format!("UPDATE {table} SET ")).with(
            "deleted = ?, deleted_at = ?, updated_at = ? WHERE image_id = ? AND deleted + 0 = ?",
            [true.into(), now.into(), now.into(), id.into(), false.into()],
        );
        if let Some(value) = value {
            sql = sql.with(&format!(" AND {key} = ?"), [value.into()]);
            if self.dialect() == Dialect::Mysql {
                // An image may have two tags that differ in case alone.
                sql = sql.with(&format!(" AND BINARY {key} = BINARY ?"), [value.into()]);
            }
        }
        self.execute(sql).await?;
        Ok(())
    }
}
