//! A tree as text: a table whose first column is the drawing.

use std::fmt;

use simurgh_telemetry::logs::OneLine;

use super::{Branch, Tree};
use crate::crash::span;
use crate::{Kind, ProcessInfo};

/// Columns of the drawing; what is longer is cut.
const DRAWING_MAX: usize = 44;

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        for root in &self.roots {
            draw(root, "", "", &mut rows);
        }
        let supervisors = rows.iter().filter(|(_, info)| matches!(info.kind, Kind::Supervisor(_))).count();
        let processes = rows.len() + self.omitted;
        writeln!(f, "node {}, {:.3}: {processes} processes, {supervisors} supervisors", OneLine(&self.node), self.at)?;
        let width = rows.iter().map(|(drawing, _)| drawing.chars().count()).max().unwrap_or(0).clamp(7, DRAWING_MAX);
        write!(
            f,
            "{:width$} {:<10} {:<12} {:>10} {:>5} {:>5} {:>8} {:>9} {:>7}",
            "PROCESS", "PID", "KIND", "MAILBOX", "MOST", "SHED", "HANDLED", "MEMORY", "AGE"
        )?;
        for (drawing, info) in &rows {
            let drawing = cut(drawing, width);
            let mailbox = info.mailbox.as_ref();
            let of = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), short);
            write!(
                f,
                "\n{drawing:width$} {:<10} {:<12} {:>10} {:>5} {:>5} {:>8} {:>9} {:>7}",
                info.pid.to_string(),
                info.kind.name(),
                mailbox.map_or_else(
                    || "-".to_owned(),
                    |counts| format!("{}/{}", short(counts.len as u64), short(counts.capacity as u64))
                ),
                of(mailbox.map(|counts| counts.high_water as u64)),
                of(mailbox.map(|counts| counts.shed)),
                of(mailbox.map(|_| info.handled)),
                bytes(info.memory),
                if info.age.is_zero() { "-".to_owned() } else { span(info.age) },
            )?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, "\nand {omitted} more"),
        }
    }
}

/// A branch's rows; `first` goes before its own name, `rest` before those of its children.
fn draw<'a>(branch: &'a Branch, first: &str, rest: &str, rows: &mut Vec<(String, &'a ProcessInfo)>) {
    rows.push((format!("{first}{}", OneLine(&branch.info.label.to_string())), &branch.info));
    let count = branch.children.len();
    for (index, child) in branch.children.iter().enumerate() {
        let (corner, below) = if index + 1 == count { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(child, &format!("{rest}{corner}"), &format!("{rest}{below}"), rows);
    }
}

fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns - 1).chain(['…']).collect()
}

/// A count in at most five columns.
fn short(number: u64) -> String {
    match number {
        0..=99_999 => number.to_string(),
        100_000..=9_999_999 => format!("{}k", number / 1_000),
        10_000_000..=9_999_999_999 => format!("{}M", number / 1_000_000),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

/// Bytes for people.
fn bytes(bytes: usize) -> String {
    const KIB: f64 = 1024.0;
    match bytes as f64 {
        few if few < KIB => format!("{bytes} B"),
        some if some < KIB * KIB => format!("{:.1} KiB", some / KIB),
        many if many < KIB * KIB * KIB => format!("{:.1} MiB", many / KIB / KIB),
        most => format!("{:.1} GiB", most / KIB / KIB / KIB),
    }
}
