//! Where a resolved file is not as one that says nothing.

use crate::report::Differs;

use super::fields::{Kind, ROOT, Table};
use super::tree::{Node, What};

/// The fields of the tables that have defaults.
pub(crate) fn differs(file: &Node) -> Vec<Differs> {
    let mut found = Vec::new();
    for entry in file.entries() {
        let Some(field) = ROOT.field(&entry.key) else { continue };
        if let Kind::Table(table) = field.kind
            && !matches!(entry.key.as_str(), "plan" | "seeds" | "shrink" | "expect" | "bank")
        {
            collect(&entry.node, table, &entry.key, &mut found);
        }
    }
    found
}

fn collect(node: &Node, table: &'static Table, path: &str, found: &mut Vec<Differs>) {
    for entry in node.entries() {
        let Some(field) = table.field(&entry.key) else { continue };
        let path = format!("{path}.{}", entry.key);
        if let Kind::Table(table) = field.kind {
            collect(&entry.node, table, &path, found);
            continue;
        }
        let value = match &entry.node.what {
            What::Text(text) => text.clone(),
            _ => entry.node.inline(),
        };
        let is_default = value == field.default || value.strip_suffix(".0") == Some(field.default);
        if !is_default {
            found.push(Differs { field: path, default: field.default.to_owned(), value });
        }
    }
}
