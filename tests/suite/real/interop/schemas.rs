//! Databases that were made by the real `glance-manage` and by ours: their schemas, and the definitions loaded into them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{MANAGE, venv};
use crate::support::mariadb::Schema;
use crate::support::realcloud::{output_of, script};
use crate::support::{Place, block_on};

#[test]
fn a_database_of_ours_has_the_schema_of_a_real_one() {
    let venv = venv();
    let place = Place::new();
    output_of(
        place
            .command(MANAGE)
            .args(["--data-dir"])
            .arg(place.data())
            .arg("db_sync"),
    );

    let real = place.file("real.db");
    let config = place.write(
        "glance.conf",
        format!("[database]\nconnection = sqlite:///{}\n", real.display()),
    );
    let mut manage = Command::new(venv.join("bin/glance-manage"));
    output_of(manage.arg("--config-file").arg(&config).arg("db_sync"));

    let schema = |database: &Path| -> Value {
        let text = output_of(
            Command::new(venv.join("bin/python"))
                .arg(script("schema.py"))
                .arg(database),
        );
        serde_json::from_str(&text).unwrap()
    };
    let (ours, theirs) = (schema(&place.data().join("glance.db")), schema(&real));
    assert!(
        theirs["tables"].as_object().unwrap().contains_key("images"),
        "{theirs}"
    );
    let tables = |schema: &Value| {
        schema["tables"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(tables(&ours), tables(&theirs));
    for table in tables(&theirs) {
        for part in ["columns", "indexes", "foreign_keys", "checks", "sql"] {
            assert_eq!(
                ours["tables"][&table][part], theirs["tables"][&table][part],
                "{part} of {table}"
            );
        }
    }
    assert_eq!(ours, theirs);
}

/// What a database holds of metadata definitions, by names; of times, whether there are any.
fn definitions_in(database: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let of_namespace = |columns: &str, table: &str| {
        format!(
            "SELECT n.namespace, x.name, {columns}, x.created_at IS NULL, x.updated_at IS NULL \
             FROM {table} AS x JOIN metadef_namespaces AS n ON n.id = x.namespace_id"
        )
    };
    let queries = [
        "SELECT namespace, display_name, description, visibility, protected, owner, created_at IS NULL, \
         updated_at IS NULL FROM metadef_namespaces"
            .to_string(),
        "SELECT name, protected, created_at IS NULL, updated_at IS NULL FROM metadef_resource_types"
            .to_string(),
        "SELECT n.namespace, t.name, a.properties_target, a.prefix, a.created_at IS NULL, \
         a.updated_at IS NULL FROM metadef_namespace_resource_types AS a \
         JOIN metadef_namespaces AS n ON n.id = a.namespace_id \
         JOIN metadef_resource_types AS t ON t.id = a.resource_type_id"
            .to_string(),
        of_namespace("x.json_schema", "metadef_properties"),
        of_namespace("x.description, x.required, x.json_schema", "metadef_objects"),
        of_namespace("''", "metadef_tags"),
    ];
    let mut found = Vec::new();
    for query in queries {
        let mut statement = connection.prepare(&query).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|column| row.get_ref(column).map(|v| format!("{v:?}")));
            values.collect::<Result<Vec<_>, _>>()
        });
        found.extend(rows.unwrap().map(|row| row.unwrap().join(" ")));
    }
    found.sort();
    found
}

#[test]
fn definitions_are_loaded_as_the_real_program_loads_them() {
    let place = Place::new();
    let venv = venv();
    let official = venv.join("etc/glance/metadefs");
    let databases = ["real", "ours"].map(|name| {
        let database = place.file(&format!("{name}.db"));
        let url = format!(
            "[database]\nconnection = sqlite:///{}\n",
            database.display()
        );
        let config = place.write(&format!("{name}.conf"), url);
        let mut sync = place.command(MANAGE);
        output_of(sync.arg("--config-file").arg(&config).args(["db", "sync"]));
        (database, config)
    });
    let programs = [venv.join("bin/glance-manage"), PathBuf::from(MANAGE)];
    let own = place.file("own");
    fs::create_dir(&own).unwrap();
    let write = |description: &str, more: &str| {
        let text = format!(
            r#"{{"namespace": "Own", "description": "{description}", "properties": {{"p{more}": {{"title": "é \\"",
            "type": "number", "minimum": 1.50, "odd": [null, 1e3]}}, "q": {{}}}}, "tags": [{{"name": "t{more}"}}],
            "objects": [{{"name": "o", "description": "{description}", "properties": {{}}}}],
            "resource_type_associations": [{{"name": "OS::Nova::Flavor", "prefix": "{description}"}}]}}"#
        );
        fs::write(own.join("own.json"), text).unwrap();
    };
    write("first", "");
    for (path, options, change) in [
        (&official, &[][..], ("first", "")),
        (&own, &[][..], ("second", "2")),
        (&own, &["--merge"], ("second", "2")),
        (&own, &["--merge", "--prefer_new"], ("third", "3")),
        (&own, &["--merge", "--overwrite"], ("third", "3")),
    ] {
        for (program, (_, config)) in programs.iter().zip(&databases) {
            let mut load = place.command(program.to_str().unwrap());
            load.arg("--config-file").arg(config);
            load.args(["db", "load_metadefs", "--path"]).arg(path);
            output_of(load.args(options));
        }
        let [theirs, ours] = databases
            .each_ref()
            .map(|(database, _)| definitions_in(database));
        assert!(theirs.len() > 200, "{}", theirs.len());
        assert_eq!(ours, theirs, "{options:?} {}", path.display());
        write(change.0, change.1);
    }
}

/// What `SHOW CREATE TABLE` says of every table of a database; how far its counters are is left out.
async fn tables(schema: &Schema) -> BTreeMap<String, String> {
    let names = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()";
    let mut tables = BTreeMap::new();
    for name in schema.texts(names).await {
        let statement = schema.created(&name).await;
        let words = statement
            .split(' ')
            .filter(|word| !word.starts_with("AUTO_INCREMENT="));
        tables.insert(name, words.collect::<Vec<_>>().join(" "));
    }
    tables
}

#[test]
fn a_schema_of_ours_on_mariadb_is_the_real_one() {
    let venv = venv();
    let ours = block_on(Place::on_mariadb());
    let mut sync = ours.command(MANAGE);
    output_of(sync.arg("--data-dir").arg(ours.data()).arg("db_sync"));

    let theirs = block_on(Schema::make());
    let config = ours.write("glance.conf", theirs.configuration());
    let mut manage = Command::new(venv.join("bin/glance-manage"));
    output_of(manage.arg("--config-file").arg(&config).arg("db_sync"));

    let (ours, theirs) = block_on(async {
        let ours = tables(ours.schema().unwrap()).await;
        (ours, tables(&theirs).await)
    });
    assert!(theirs.contains_key("images"), "{theirs:?}");
    assert_eq!(ours, theirs);
}
