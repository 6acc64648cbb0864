//! Links that open a place in an editor.

use std::fmt::Write as _;

/// An address with `{file}`, `{line}` and `{column}` in it.
#[derive(Clone)]
pub(super) struct Editor(String);

impl Editor {
    pub(super) fn named(named: &str) -> Self {
        let address = match named {
            "vscode" | "code" => "vscode://file/{file}:{line}:{column}",
            "cursor" => "cursor://file/{file}:{line}:{column}",
            "zed" => "zed://file/{file}:{line}:{column}",
            "idea" | "rustrover" => "idea://open?file={file}&line={line}&column={column}",
            "textmate" => "txmt://open/?url=file://{file}&line={line}&column={column}",
            other => other,
        };
        Self(address.to_owned())
    }

    pub(super) fn link(&self, file: &str, line: u32, column: u32) -> String {
        let mut encoded = String::with_capacity(file.len());
        for byte in file.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        let link = self.0.replace("{line}", &line.to_string()).replace("{column}", &column.to_string());
        link.replace("{file}", &encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::Editor;

    #[test]
    fn a_place_is_a_link() {
        let link = |named: &str| Editor::named(named).link("/srv/my app/src/main.rs", 7, 3);
        assert_eq!(link("vscode"), "vscode://file//srv/my%20app/src/main.rs:7:3");
        assert_eq!(link("emacs://open?f={file}&l={line}"), "emacs://open?f=/srv/my%20app/src/main.rs&l=7");
    }
}
