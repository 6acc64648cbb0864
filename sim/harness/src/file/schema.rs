//! The JSON schema of scenario files, for editors.

use serde_json::{Map, Value, json};

use crate::registry::Registry;

use super::fields::{Field, Kind, ROOT, Table};

/// The JSON schema of the files that a registry's program can run.
pub fn json_schema(registry: &Registry) -> Value {
    let mut schema = table(&ROOT, registry);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Simurgh scenario, schema 1");
    schema["required"] = json!(["schema", "name", "why"]);
    schema
}

fn table(table: &'static Table, registry: &Registry) -> Value {
    let properties: Map<String, Value> =
        table.fields.iter().map(|field| (field.name.to_owned(), described(table, field, registry))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn described(of: &'static Table, field: &'static Field, registry: &Registry) -> Value {
    let mut value = kind(field.kind, registry);
    let names: Option<Vec<&str>> = match (of.head, field.name) {
        ("[[fault]]", "kind") => Some(registry.faults.keys().copied().collect()),
        ("[[fault]]", "on") => Some(registry.probes.keys().copied().collect()),
        ("[[invariant]]", "name") => Some(registry.invariants.keys().copied().collect()),
        ("[[workload]]", "name") => {
            Some(registry.workloads.keys().chain(registry.properties.keys()).copied().collect())
        }
        ("the file", "planted") => Some(registry.planted.keys().copied().collect()),
        _ => None,
    };
    if let Some(names) = names {
        value = json!({ "enum": names });
    }
    value["description"] = json!(field.about);
    if !field.default.is_empty() {
        value["default"] = json!(field.default);
    }
    value
}

fn kind(of: Kind, registry: &Registry) -> Value {
    let number = json!({ "type": ["number", "string"] });
    match of {
        Kind::Text => json!({ "type": "string", "minLength": 1 }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::OneOf(names) => json!({ "enum": names }),
        Kind::Number(_) => number,
        Kind::Whole => json!({ "type": "integer", "minimum": 0 }),
        Kind::Table(fields) => table(fields, registry),
        Kind::Tables(fields) => json!({ "type": "array", "items": table(fields, registry) }),
        Kind::Named(fields) => json!({ "type": "object", "additionalProperties": table(fields, registry) }),
        Kind::Weights => json!({ "type": "object", "additionalProperties": number }),
        Kind::Values => json!({ "type": "object" }),
        Kind::Conditions => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Target => json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] }),
        Kind::Decisions => json!({ "type": "array", "items": { "type": "array", "items": { "type": "integer" } } }),
    }
}
