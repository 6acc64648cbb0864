//! The picture.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as TableRow, Table, TableState};
use simurgh::otp::observer::SortBy;

use super::app::{App, Pane};
use super::rows::{Mailbox, Mark, Row};

/// From this width on there is room for all columns.
const WIDE: u16 = 100;

const DIM: Style = Style::new().fg(Color::DarkGray);

pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    let pane = if app.pane.is_some() { (area.height * 2 / 5).max(5) } else { 0 };
    let [head, list, below, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(3), Constraint::Length(pane), Constraint::Length(1)])
            .areas(area);
    draw_head(frame, head, app);
    draw_list(frame, list, app);
    if let Some(pane) = app.pane {
        draw_pane(frame, below, app, pane);
    }
    draw_foot(frame, foot, app);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let order = match app.sort {
        None => "tree",
        Some(SortBy::Mailbox) => "by mailbox",
        Some(SortBy::Memory) => "by memory",
        Some(SortBy::Handled) => "by messages handled",
    };
    let count = app.rows.alive as u64 + app.rows.omitted;
    let mut head = format!(" {}   {count} processes   {order}", app.node);
    if app.rows.omitted > 0 {
        let _ = write!(head, "   {} not shown", app.rows.omitted);
    }
    if !app.traced.is_empty() {
        let _ = write!(head, "   {} traced", app.traced.len());
    }
    frame.render_widget(Paragraph::new(head).style(Style::new().add_modifier(Modifier::REVERSED)), area);
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let is_wide = area.width >= WIDE;
    let right = |text: String| Cell::from(Line::from(text).right_aligned());
    let rows = app.rows.all.iter().map(|row| {
        let traced = if app.traced.contains(&row.pid) { " (traced)" } else { "" };
        let label = Line::from(vec![
            Span::styled(row.drawing.as_str(), DIM),
            Span::raw(row.label.as_str()),
            Span::styled(traced, Style::new().fg(Color::Yellow)),
        ]);
        let count =
            |of: fn(&Mailbox) -> u64| row.mailbox.as_ref().map_or_else(|| "-".to_owned(), |mailbox| short(of(mailbox)));
        let mailbox = row
            .mailbox
            .as_ref()
            .map_or_else(|| "-".to_owned(), |mailbox| format!("{}/{}", short(mailbox.len), short(mailbox.capacity)));
        let handled = row.mailbox.map_or_else(|| "-".to_owned(), |_| short(row.handled));
        let mut cells = vec![Cell::from(label), Cell::from(row.pid.as_str())];
        if is_wide {
            cells.push(Cell::from(row.kind.as_str()));
        }
        cells.push(Cell::from(Line::from(mailbox).right_aligned()).style(fullness(row)));
        if is_wide {
            cells.extend([right(count(|mailbox| mailbox.most)), right(count(|mailbox| mailbox.shed))]);
        }
        cells.extend([right(handled), right(bytes(row.memory)), right(age(row.age_ms))]);
        TableRow::new(cells).style(match row.mark {
            Mark::None => Style::new(),
            Mark::New(_) => Style::new().fg(Color::Green),
            Mark::Gone(_) => Style::new().fg(Color::Red),
        })
    });
    let mut names = vec![("PROCESS", false), ("PID", false)];
    let mut widths = vec![Constraint::Min(20), Constraint::Length(10)];
    if is_wide {
        names.push(("KIND", false));
        widths.push(Constraint::Length(12));
    }
    names.push(("MAILBOX", true));
    widths.push(Constraint::Length(10));
    if is_wide {
        names.extend([("MOST", true), ("SHED", true)]);
        widths.extend([Constraint::Length(6), Constraint::Length(6)]);
    }
    names.extend([("HANDLED", true), ("MEMORY", true), ("AGE", true)]);
    widths.extend([Constraint::Length(8), Constraint::Length(9), Constraint::Length(7)]);
    let names = names.into_iter().map(|(name, is_right)| {
        let line = Line::from(name);
        Cell::from(if is_right { line.right_aligned() } else { line })
    });
    let table = Table::new(rows, widths)
        .header(TableRow::new(names).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().bg(Color::DarkGray).add_modifier(Modifier::BOLD));
    let selected = (!app.rows.all.is_empty()).then(|| app.place());
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(selected));
}

/// A mailbox that fills is seen before it is full.
fn fullness(row: &Row) -> Style {
    match row.mailbox {
        Some(mailbox) if mailbox.len * 10 >= mailbox.capacity * 9 => Style::new().fg(Color::Red),
        Some(mailbox) if mailbox.len * 2 >= mailbox.capacity => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

fn draw_pane(frame: &mut Frame<'_>, area: Rect, app: &App, pane: Pane) {
    let (title, empty) = match pane {
        Pane::Describe => (" what it says of its state ", "asking ..."),
        Pane::Trace if app.traced.is_empty() => (" traces ", "nothing is traced; r traces the selected server"),
        Pane::Trace => (" traces ", "no message yet"),
        Pane::Crashes => (" crashes, the newest first ", "none"),
    };
    let block = Block::new().borders(Borders::TOP).border_style(DIM).title(title);
    let room = usize::from(area.height.saturating_sub(1));
    // The newest line of a trace is at its end.
    let skip = if pane == Pane::Trace { app.pane_lines.len().saturating_sub(room) } else { 0 };
    let lines: Vec<Line<'_>> = if app.pane_lines.is_empty() {
        vec![Line::styled(empty, DIM)]
    } else {
        app.pane_lines.iter().skip(skip).take(room).map(|line| Line::raw(line.as_str())).collect()
    };
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let line = if let Some((pid, label)) = &app.confirm {
        let question = format!(" kill {label} {pid}?  y kills, any other key does not");
        Line::styled(question, Style::new().fg(Color::Black).bg(Color::Yellow))
    } else if let Some((message, is_bad)) = &app.message {
        Line::styled(format!(" {message}"), Style::new().fg(if *is_bad { Color::Red } else { Color::Green }))
    } else {
        keys(area.width)
    };
    frame.render_widget(Paragraph::new(line), area);
}

/// What can be pressed.
fn keys(width: u16) -> Line<'static> {
    let keys = [
        ("t", "tree"),
        ("b", "box"),
        ("m", "memory"),
        ("h", "handled"),
        ("x", "kill"),
        ("r", "trace"),
        ("d", "state"),
        ("l", "lines"),
        ("c", "crashes"),
        ("q", "quit"),
    ];
    let gap = if width >= WIDE { "   " } else { " " };
    let mut spans = vec![Span::raw(" ")];
    for (key, what) in keys {
        spans.push(Span::styled(key, Style::new().add_modifier(Modifier::BOLD)));
        spans.push(Span::styled(format!(" {what}{gap}"), DIM));
    }
    Line::from(spans)
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

fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn age(ms: u64) -> String {
    match ms / 1_000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
