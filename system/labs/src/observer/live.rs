//! The terminal, and the two connections around the [`App`].

use std::io;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{execute, terminal};
use simurgh::net::control::{Access, Client, ClientError};
use simurgh::otp::observer::SortBy;
use simurgh::prelude::*;
use simurgh::runtime::{blocking, interval};
use tokio::sync::mpsc;

use super::app::{App, Do, Key};
use super::view;

/// What happens around the app.
enum Happened {
    Key(Key),
    Resized,
    Seen(String, Vec<String>),
    Obeyed(String, Result<Vec<String>, String>),
    /// The node, or the terminal, is gone.
    Lost(String),
}

/// Happenings that may wait.
const WAITING_MAX: usize = 64;

/// Shows a node until its watcher has seen enough.
pub(super) async fn run(access: &Access, sort: Option<SortBy>) -> Result<(), String> {
    let polls = Client::connect(access).await.map_err(|error| error.to_string())?;
    let orders = Client::connect(access).await.map_err(|error| error.to_string())?;
    let (told, mut happened) = mpsc::channel(WAITING_MAX);
    let (look, looks) = mpsc::channel(WAITING_MAX);
    let (order, to_obey) = mpsc::channel(WAITING_MAX);
    let mut app = App::new(polls.node(), sort);
    let mut screen = Screen::open().map_err(|error| format!("this is no terminal to draw on: {error}; try --once"))?;
    let helpers =
        [spawn(read_keys(told.clone())), spawn(poll(polls, looks, told.clone())), spawn(obey(orders, to_obey, told))];
    let mut ticks = interval(250.millis());
    let mut lost = false;
    loop {
        screen.draw(&app).map_err(|error| format!("cannot draw: {error}"))?;
        let what = select! {
            biased;
            what = happened.recv() => what,
            _ = ticks.tick() => {
                // Full: the last look is not answered yet.
                app.looks().into_iter().for_each(|what| drop(look.try_send(what)));
                continue;
            },
        };
        match what {
            Some(Happened::Key(key)) => match app.key(key) {
                Do::Quit => break,
                _ if lost => app.message = Some(("the node is gone; q ends".to_owned(), true)),
                Do::Order(what) => drop(order.try_send(what)),
                Do::Look => app.looks().into_iter().for_each(|what| drop(look.try_send(what))),
                Do::Nothing => {}
            },
            Some(Happened::Seen(look, answer)) => app.seen(&look, &answer, Instant::now()),
            Some(Happened::Obeyed(order, answer)) => app.obeyed(&order, answer),
            Some(Happened::Lost(why)) => {
                lost = true;
                app.message = Some((format!("{why}; q ends"), true));
            }
            Some(Happened::Resized) => {}
            None => break,
        }
    }
    for helper in helpers {
        helper.abort();
    }
    Ok(())
}

/// Asks what is looked at. Looks that have come meanwhile are asked once.
async fn poll(mut client: Client, mut looks: mpsc::Receiver<String>, told: mpsc::Sender<Happened>) {
    while let Some(first) = looks.recv().await {
        let mut all = vec![first];
        while let Ok(more) = looks.try_recv() {
            if !all.contains(&more) {
                all.push(more);
            }
        }
        for look in all {
            match client.ask(&look).await {
                Ok(answer) => drop(told.send(Happened::Seen(look, answer)).await),
                Err(ClientError::Refused(_)) => {}
                Err(error) => return drop(told.send(Happened::Lost(error.to_string())).await),
            }
        }
    }
}

/// Carries out orders, one after the other.
async fn obey(mut client: Client, mut orders: mpsc::Receiver<String>, told: mpsc::Sender<Happened>) {
    let mut keep_alive = interval(60.secs());
    loop {
        let order = select! {
            order = orders.recv() => order,
            _ = keep_alive.tick() => {
                // The traces of this connection end with it, and an idle one ends.
                let _ = client.ask("diff").await;
                continue;
            },
        };
        let Some(order) = order else { return };
        let answer = client.ask(&order).await.map_err(|error| error.to_string());
        let _ = told.send(Happened::Obeyed(order, answer)).await;
    }
}

/// Reads keys on a thread for blocking work, a tenth of a second at a time.
async fn read_keys(told: mpsc::Sender<Happened>) {
    loop {
        let read =
            blocking(|| event::poll(100.millis()).and_then(|any| if any { event::read().map(Some) } else { Ok(None) }));
        let happened = match read.await {
            Ok(Some(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('c') if control => Happened::Key(Key::Char('q')),
                    KeyCode::Char(letter) => Happened::Key(Key::Char(letter)),
                    KeyCode::Up => Happened::Key(Key::Up),
                    KeyCode::Down => Happened::Key(Key::Down),
                    KeyCode::PageUp => Happened::Key(Key::PageUp),
                    KeyCode::PageDown => Happened::Key(Key::PageDown),
                    KeyCode::Home => Happened::Key(Key::Home),
                    KeyCode::End => Happened::Key(Key::End),
                    KeyCode::Esc => Happened::Key(Key::Escape),
                    KeyCode::Enter => Happened::Key(Key::Enter),
                    _ => continue,
                }
            }
            Ok(Some(Event::Resize(..))) => Happened::Resized,
            Ok(_) => continue,
            Err(error) => Happened::Lost(format!("the keyboard is gone: {error}")),
        };
        let is_over = matches!(happened, Happened::Lost(_));
        if told.send(happened).await.is_err() || is_over {
            return;
        }
    }
}

/// The terminal, given back as it was.
struct Screen(Terminal<CrosstermBackend<io::Stdout>>);

impl Screen {
    #[allow(clippy::disallowed_methods)] // what is drawn is no line of output
    fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let mut screen = Self(Terminal::new(CrosstermBackend::new(io::stdout()))?);
        execute!(screen.0.backend_mut(), terminal::EnterAlternateScreen)?;
        screen.0.clear()?;
        Ok(screen)
    }

    fn draw(&mut self, app: &App) -> io::Result<()> {
        self.0.draw(|frame| view::draw(frame, app)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(self.0.backend_mut(), terminal::LeaveAlternateScreen);
        let _ = self.0.show_cursor();
        let _ = terminal::disable_raw_mode();
    }
}
