//! The catalogue of metadata definitions: `glance md-*`.

use std::path::PathBuf;

use clap::ArgAction;

use crate::cli::registry::{Output, Row};
use crate::cli::values;

/// Create a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Resource types to associate, each a JSON object.
    #[arg(long, num_args = 1.., action = ArgAction::Set)]
    pub resource_type_associations: Vec<String>,
    /// Project that owns the namespace.
    #[arg(long)]
    pub owner: Option<String>,
    /// Refuse to delete the namespace.
    #[arg(long, value_name = "True|False", value_parser = values::strict_bool)]
    pub protected: Option<bool>,
    /// Who sees the namespace: public or private.
    #[arg(long)]
    pub visibility: Option<String>,
    /// What the namespace is for.
    #[arg(long)]
    pub description: Option<String>,
    /// Name to show to people.
    #[arg(long)]
    pub display_name: Option<String>,
}

/// Delete a namespace with all it holds.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceDelete {
    /// Name of the namespace.
    pub namespace: String,
}

/// Create a namespace with all it holds from a JSON document.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceImport {
    /// File to read the document from, instead of standard input.
    #[arg(long, value_name = "FILEPATH")]
    pub file: Option<PathBuf>,
}

/// List namespaces.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceList {
    /// Only namespaces associated with this resource type; may be repeated.
    #[arg(long)]
    pub resource_types: Vec<String>,
    /// Only public or only private namespaces.
    #[arg(long)]
    pub visibility: Option<String>,
    /// How many namespaces to ask for at a time.
    #[arg(long, value_name = "SIZE", value_parser = values::int, allow_negative_numbers = true)]
    pub page_size: Option<i64>,
}

/// Delete all objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceObjectsDelete {
    /// Name of the namespace.
    pub namespace: String,
}

/// Delete all properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespacePropertiesDelete {
    /// Name of the namespace.
    pub namespace: String,
}

/// List the resource types a namespace is associated with.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceResourceTypeList {
    /// Name of the namespace.
    pub namespace: String,
}

/// Show a namespace with its properties, objects and resource types.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Put this resource type's prefix before the names of the properties.
    #[arg(long)]
    pub resource_type: Option<String>,
    /// Widest a column of the table may get, in characters.
    #[arg(
        long,
        value_name = "integer",
        default_value = "80",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub max_column_width: String,
}

/// Delete all tags of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceTagsDelete {
    /// Name of the namespace.
    pub namespace: String,
}

/// Change a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceUpdate {
    /// Name of the namespace.
    pub namespace: String,
    /// Project that owns the namespace.
    #[arg(long)]
    pub owner: Option<String>,
    /// Refuse to delete the namespace.
    #[arg(long, value_name = "True|False", value_parser = values::strict_bool)]
    pub protected: Option<bool>,
    /// Who sees the namespace: public or private.
    #[arg(long)]
    pub visibility: Option<String>,
    /// What the namespace is for.
    #[arg(long)]
    pub description: Option<String>,
    /// Name to show to people.
    #[arg(long)]
    pub display_name: Option<String>,
    /// New name of the namespace.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    pub new_namespace: Option<String>,
}

/// Create an object in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    #[arg(long)]
    pub name: String,
    /// JSON object that describes it.
    #[arg(long)]
    pub schema: String,
}

/// Delete an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectDelete {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
}

/// List the objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectList {
    /// Name of the namespace.
    pub namespace: String,
}

/// Show one property of an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectPropertyShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
    /// Name of the property.
    pub property: String,
    /// Widest a column of the table may get, in characters.
    #[arg(
        long,
        value_name = "integer",
        default_value = "80",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub max_column_width: String,
}

/// Show an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
    /// Widest a column of the table may get, in characters.
    #[arg(
        long,
        value_name = "integer",
        default_value = "80",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub max_column_width: String,
}

/// Change an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectUpdate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
    /// New name of the object.
    #[arg(long)]
    pub name: Option<String>,
    /// JSON object that describes it.
    #[arg(long)]
    pub schema: Option<String>,
}

/// Create a property in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    #[arg(long)]
    pub name: String,
    /// Name to show to people.
    #[arg(long)]
    pub title: String,
    /// JSON schema of its values.
    #[arg(long)]
    pub schema: String,
    /// Type of its values.
    #[arg(long = "type", value_name = "TYPE")]
    pub property_type: String,
}

/// Delete a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyDelete {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    pub property: String,
}

/// List the properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyList {
    /// Name of the namespace.
    pub namespace: String,
}

/// Show a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    pub property: String,
    /// Widest a column of the table may get, in characters.
    #[arg(
        long,
        value_name = "integer",
        default_value = "80",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub max_column_width: String,
}

/// Change a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyUpdate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the property.
    pub property: String,
    /// New name of the property.
    #[arg(long)]
    pub name: Option<String>,
    /// Name to show to people.
    #[arg(long)]
    pub title: Option<String>,
    /// JSON schema of its values.
    #[arg(long)]
    pub schema: Option<String>,
}

/// Associate a resource type with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociate {
    /// Name of the namespace.
    pub namespace: String,
    /// Which of the resource's metadata are meant, where it has more than one kind.
    #[arg(long)]
    pub properties_target: Option<String>,
    /// What the names of properties start with on such resources, separator included.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Name of the resource type.
    #[arg(long)]
    pub name: Option<String>,
}

/// Take a resource type away from a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeDeassociate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the resource type.
    pub resource_type: String,
}

/// List the resource types there are.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeList {}

/// Create a tag in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct TagCreate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    #[arg(long)]
    pub name: String,
}

/// Create several tags in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct TagCreateMultiple {
    /// Name of the namespace.
    pub namespace: String,
    /// Names of the tags in one string.
    #[arg(long)]
    pub names: String,
    /// What separates the names; a comma if not given.
    #[arg(long)]
    pub delim: Option<String>,
    /// Keep the tags that are there already.
    #[arg(long)]
    pub append: bool,
}

/// Delete a tag.
#[derive(Debug, Clone, clap::Args)]
pub struct TagDelete {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    pub tag: String,
}

/// List the tags of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct TagList {
    /// Name of the namespace.
    pub namespace: String,
}

/// Show a tag.
#[derive(Debug, Clone, clap::Args)]
pub struct TagShow {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    pub tag: String,
}

/// Rename a tag.
#[derive(Debug, Clone, clap::Args)]
pub struct TagUpdate {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the tag.
    pub tag: String,
    /// New name of the tag.
    #[arg(long)]
    pub name: String,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<NamespaceCreate>("md-namespace-create", "Create a namespace", Output::Plain),
    Row::later::<NamespaceDelete>(
        "md-namespace-delete",
        "Delete a namespace with all it holds",
        Output::Plain,
    ),
    Row::later::<NamespaceImport>(
        "md-namespace-import",
        "Create a namespace with all it holds from a JSON document",
        Output::Plain,
    ),
    Row::later::<NamespaceList>("md-namespace-list", "List namespaces", Output::Plain),
    Row::later::<NamespaceObjectsDelete>(
        "md-namespace-objects-delete",
        "Delete all objects of a namespace",
        Output::Plain,
    ),
    Row::later::<NamespacePropertiesDelete>(
        "md-namespace-properties-delete",
        "Delete all properties of a namespace",
        Output::Plain,
    ),
    Row::later::<NamespaceResourceTypeList>(
        "md-namespace-resource-type-list",
        "List the resource types a namespace is associated with",
        Output::Plain,
    ),
    Row::later::<NamespaceShow>(
        "md-namespace-show",
        "Show a namespace with its properties, objects and resource types",
        Output::Plain,
    ),
    Row::later::<NamespaceTagsDelete>(
        "md-namespace-tags-delete",
        "Delete all tags of a namespace",
        Output::Plain,
    ),
    Row::later::<NamespaceUpdate>("md-namespace-update", "Change a namespace", Output::Plain),
    Row::later::<ObjectCreate>(
        "md-object-create",
        "Create an object in a namespace",
        Output::Plain,
    ),
    Row::later::<ObjectDelete>("md-object-delete", "Delete an object", Output::Plain),
    Row::later::<ObjectList>(
        "md-object-list",
        "List the objects of a namespace",
        Output::Plain,
    ),
    Row::later::<ObjectPropertyShow>(
        "md-object-property-show",
        "Show one property of an object",
        Output::Plain,
    ),
    Row::later::<ObjectShow>("md-object-show", "Show an object", Output::Plain),
    Row::later::<ObjectUpdate>("md-object-update", "Change an object", Output::Plain),
    Row::later::<PropertyCreate>(
        "md-property-create",
        "Create a property in a namespace",
        Output::Plain,
    ),
    Row::later::<PropertyDelete>("md-property-delete", "Delete a property", Output::Plain),
    Row::later::<PropertyList>(
        "md-property-list",
        "List the properties of a namespace",
        Output::Plain,
    ),
    Row::later::<PropertyShow>("md-property-show", "Show a property", Output::Plain),
    Row::later::<PropertyUpdate>("md-property-update", "Change a property", Output::Plain),
    Row::later::<ResourceTypeAssociate>(
        "md-resource-type-associate",
        "Associate a resource type with a namespace",
        Output::Plain,
    ),
    Row::later::<ResourceTypeDeassociate>(
        "md-resource-type-deassociate",
        "Take a resource type away from a namespace",
        Output::Plain,
    ),
    Row::later::<ResourceTypeList>(
        "md-resource-type-list",
        "List the resource types there are",
        Output::Plain,
    ),
    Row::later::<TagCreate>(
        "md-tag-create",
        "Create a tag in a namespace",
        Output::Plain,
    ),
    Row::later::<TagCreateMultiple>(
        "md-tag-create-multiple",
        "Create several tags in a namespace",
        Output::Plain,
    ),
    Row::later::<TagDelete>("md-tag-delete", "Delete a tag", Output::Plain),
    Row::later::<TagList>("md-tag-list", "List the tags of a namespace", Output::Plain),
    Row::later::<TagShow>("md-tag-show", "Show a tag", Output::Plain),
    Row::later::<TagUpdate>("md-tag-update", "Rename a tag", Output::Plain),
];
