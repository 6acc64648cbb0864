//! What is known of a setting before it has a value: the source of help texts and pages.

/// One setting of a [`settings!`](crate::settings) struct.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key in the file, and its name in the struct.
    pub name: &'static str,
    /// The environment variable that can give it.
    pub env: Option<&'static str>,
    /// Its type, as the struct says it.
    pub type_name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its default as text; none if it is required.
    pub default: Option<fn() -> String>,
    /// What is accepted, for `expected ..`.
    pub expected: fn() -> String,
    /// The settings in it, if it is a section of the file.
    pub fields: &'static [Field],
}

/// The settings as text for a terminal.
pub fn help(fields: &[Field]) -> String {
    let rows = rows(fields);
    let width = |pick: fn(&Row) -> &String| rows.iter().map(|row| pick(row).chars().count()).max().unwrap_or(0);
    let (env, key, default) = (width(|row| &row.env), width(|row| &row.key), width(|row| &row.default));
    let line = |row: &Row| format!("  {:env$}  {:key$}  {:default$}  {}\n", row.env, row.key, row.default, row.doc);
    rows.iter().map(line).collect()
}

/// The settings as a table for a page.
pub fn markdown(fields: &[Field]) -> String {
    let rows = rows(fields).into_iter();
    let rows =
        rows.map(|row| [code(&row.key), code(&row.env), code(&row.default), format!("{} ({})", row.doc, row.expected)]);
    table(["setting", "variable", "default", "what it is"], rows)
}

/// A table in markdown.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let rows = rows.into_iter().map(|row| row.map(|cell| cell.replace('|', "\\|")));
    let rule = [(); N].map(|()| "---".to_owned());
    [head.map(str::to_owned), rule].into_iter().chain(rows).map(line).collect()
}

fn code(text: &str) -> String {
    if text.is_empty() || text == REQUIRED { text.to_owned() } else { format!("`{text}`") }
}

const REQUIRED: &str = "required";

struct Row {
    key: String,
    env: String,
    default: String,
    doc: String,
    expected: String,
}

fn rows(fields: &[Field]) -> Vec<Row> {
    let mut rows = Vec::new();
    add_rows("", fields, &mut rows);
    rows
}

fn add_rows(prefix: &str, fields: &[Field], rows: &mut Vec<Row>) {
    for field in fields {
        let key = format!("{prefix}{}", field.name);
        if !field.fields.is_empty() {
            add_rows(&format!("{key}."), field.fields, rows);
            continue;
        }
        rows.push(Row {
            key,
            env: field.env.unwrap_or_default().to_owned(),
            default: field.default.map_or_else(|| REQUIRED.to_owned(), |default| default()),
            doc: field.doc.trim().to_owned(),
            expected: (field.expected)(),
        });
    }
}
