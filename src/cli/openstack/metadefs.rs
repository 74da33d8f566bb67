//! The catalogue of metadata definitions: `openstack image metadef`.

use clap::ArgGroup;

use crate::cli::registry::{Output, Row};

/// Create a namespace.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one field for each option of the grammar"
)]
pub struct NamespaceCreate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name to show to people.
    #[arg(long, value_name = "display_name")]
    pub display_name: Option<String>,
    /// What the namespace is for.
    #[arg(long, value_name = "description")]
    pub description: Option<String>,
    /// Let every project see the namespace.
    #[arg(long, conflicts_with = "private")]
    pub public: bool,
    /// Let only its own project see the namespace.
    #[arg(long, conflicts_with = "public")]
    pub private: bool,
    /// Refuse to delete the namespace.
    #[arg(long, conflicts_with = "unprotected")]
    pub protected: bool,
    /// Let the namespace be deleted.
    #[arg(long, conflicts_with = "protected")]
    pub unprotected: bool,
}

/// Delete namespaces with all they hold.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceDelete {
    /// Names of the namespaces.
    #[arg(value_name = "namespace", required = true, num_args = 1..)]
    pub namespaces: Vec<String>,
}

/// List namespaces.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceList {
    /// Only namespaces associated with these resource types.
    #[arg(long, value_name = "resource_types")]
    pub resource_types: Option<String>,
    /// Only public or only private namespaces.
    #[arg(long, value_name = "visibility")]
    pub visibility: Option<String>,
}

/// Change a namespace.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one field for each option of the grammar"
)]
pub struct NamespaceSet {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name to show to people.
    #[arg(long, value_name = "display_name")]
    pub display_name: Option<String>,
    /// What the namespace is for.
    #[arg(long, value_name = "description")]
    pub description: Option<String>,
    /// Let every project see the namespace.
    #[arg(long, conflicts_with = "private")]
    pub public: bool,
    /// Let only its own project see the namespace.
    #[arg(long, conflicts_with = "public")]
    pub private: bool,
    /// Refuse to delete the namespace.
    #[arg(long, conflicts_with = "unprotected")]
    pub protected: bool,
    /// Let the namespace be deleted.
    #[arg(long, conflicts_with = "protected")]
    pub unprotected: bool,
    /// Tag to add; may be repeated.
    #[arg(long = "tag", value_name = "tag")]
    pub tags: Vec<String>,
}

/// Show a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct NamespaceShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
}

/// Take tags away from a namespace.
#[derive(Debug, Clone, clap::Args)]
#[command(group = ArgGroup::new("which").required(true).args(["tags", "all_tags"]))]
pub struct NamespaceUnset {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Tag to take away; may be repeated.
    #[arg(long = "tag", value_name = "tag")]
    pub tags: Vec<String>,
    /// Take all tags away.
    #[arg(long)]
    pub all_tags: bool,
}

/// Create an object in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectCreate {
    /// Name of the object.
    #[arg(value_name = "metadef-object-name")]
    pub name: String,
    /// Name of the namespace.
    #[arg(long, value_name = "namespace")]
    pub namespace: Option<String>,
}

/// Delete objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectDelete {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Names of the objects; all of them if none is given.
    #[arg(value_name = "object", num_args = 0..)]
    pub objects: Vec<String>,
}

/// List the objects of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectList {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
}

/// Show one property of an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectPropertyShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace_name")]
    pub namespace: String,
    /// Name of the object.
    #[arg(value_name = "object_name")]
    pub object: String,
    /// Name of the property.
    #[arg(value_name = "property")]
    pub property: String,
}

/// Show an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the object.
    #[arg(value_name = "object")]
    pub object: String,
}

/// Rename an object.
#[derive(Debug, Clone, clap::Args)]
pub struct ObjectUpdate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the object.
    #[arg(value_name = "object")]
    pub object: String,
    /// New name of the object.
    #[arg(long)]
    pub name: Option<String>,
}

/// Create a property in a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyCreate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the property.
    #[arg(long)]
    pub name: String,
    /// Name to show to people.
    #[arg(long)]
    pub title: String,
    /// Type of its values.
    #[arg(long = "type", value_name = "TYPE")]
    pub property_type: String,
    /// JSON schema of its values.
    #[arg(long)]
    pub schema: String,
}

/// Delete properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyDelete {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Names of the properties; all of them if none is given.
    #[arg(value_name = "property", num_args = 0..)]
    pub properties: Vec<String>,
}

/// List the properties of a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyList {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
}

/// Change a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertySet {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the property.
    #[arg(value_name = "property")]
    pub property: String,
    /// New name of the property.
    #[arg(long)]
    pub name: Option<String>,
    /// Name to show to people.
    #[arg(long)]
    pub title: Option<String>,
    /// Type of its values.
    #[arg(long = "type", value_name = "TYPE")]
    pub property_type: Option<String>,
    /// JSON schema of its values.
    #[arg(long)]
    pub schema: Option<String>,
}

/// Show a property.
#[derive(Debug, Clone, clap::Args)]
pub struct PropertyShow {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the property.
    #[arg(value_name = "property")]
    pub property: String,
}

/// Associate a resource type with a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociationCreate {
    /// Name of the namespace.
    #[arg(value_name = "namespace")]
    pub namespace: String,
    /// Name of the resource type.
    #[arg(value_name = "name")]
    pub name: String,
    /// Which of the resource's metadata are meant, where it has more than one kind.
    #[arg(long, value_name = "properties_target")]
    pub properties_target: Option<String>,
}

/// Take resource types away from a namespace.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociationDelete {
    /// Name of the namespace.
    #[arg(value_name = "metadef_namespace")]
    pub namespace: String,
    /// Names of the resource types.
    #[arg(value_name = "name", required = true, num_args = 1..)]
    pub names: Vec<String>,
    /// Do it even if the namespace is protected.
    #[arg(long)]
    pub force: bool,
}

/// List the resource types a namespace is associated with.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeAssociationList {
    /// Name of the namespace.
    #[arg(value_name = "metadef_namespace")]
    pub namespace: String,
}

/// List the resource types there are.
#[derive(Debug, Clone, clap::Args)]
pub struct ResourceTypeList {}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<NamespaceCreate>(
        "image metadef namespace create",
        "Create a namespace",
        Output::Show,
    ),
    Row::later::<NamespaceDelete>(
        "image metadef namespace delete",
        "Delete namespaces with all they hold",
        Output::Plain,
    ),
    Row::later::<NamespaceList>(
        "image metadef namespace list",
        "List namespaces",
        Output::List,
    ),
    Row::later::<NamespaceSet>(
        "image metadef namespace set",
        "Change a namespace",
        Output::Plain,
    ),
    Row::later::<NamespaceShow>(
        "image metadef namespace show",
        "Show a namespace",
        Output::Show,
    ),
    Row::later::<NamespaceUnset>(
        "image metadef namespace unset",
        "Take tags away from a namespace",
        Output::Plain,
    ),
    Row::later::<ObjectCreate>(
        "image metadef object create",
        "Create an object in a namespace",
        Output::Show,
    ),
    Row::later::<ObjectDelete>(
        "image metadef object delete",
        "Delete objects of a namespace",
        Output::Plain,
    ),
    Row::later::<ObjectList>(
        "image metadef object list",
        "List the objects of a namespace",
        Output::List,
    ),
    Row::later::<ObjectPropertyShow>(
        "image metadef object property show",
        "Show one property of an object",
        Output::Show,
    ),
    Row::later::<ObjectShow>("image metadef object show", "Show an object", Output::Show),
    Row::later::<ObjectUpdate>(
        "image metadef object update",
        "Rename an object",
        Output::Plain,
    ),
    Row::later::<PropertyCreate>(
        "image metadef property create",
        "Create a property in a namespace",
        Output::Show,
    ),
    Row::later::<PropertyDelete>(
        "image metadef property delete",
        "Delete properties of a namespace",
        Output::Plain,
    ),
    Row::later::<PropertyList>(
        "image metadef property list",
        "List the properties of a namespace",
        Output::List,
    ),
    Row::later::<PropertySet>(
        "image metadef property set",
        "Change a property",
        Output::Plain,
    ),
    Row::later::<PropertyShow>(
        "image metadef property show",
        "Show a property",
        Output::Show,
    ),
    Row::later::<ResourceTypeAssociationCreate>(
        "image metadef resource type association create",
        "Associate a resource type with a namespace",
        Output::Show,
    ),
    Row::later::<ResourceTypeAssociationDelete>(
        "image metadef resource type association delete",
        "Take resource types away from a namespace",
        Output::Plain,
    ),
    Row::later::<ResourceTypeAssociationList>(
        "image metadef resource type association list",
        "List the resource types a namespace is associated with",
        Output::List,
    ),
    Row::later::<ResourceTypeList>(
        "image metadef resource type list",
        "List the resource types there are",
        Output::List,
    ),
];
