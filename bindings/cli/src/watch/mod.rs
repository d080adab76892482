//! The live view: reads the connections again and again, and draws them until the user leaves.

mod model;
mod rates;
mod screen;

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use std::{mem, process, thread};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::widgets::TableState;
use subflows::{ConnectionsOptions, ErrorKind};

use crate::failure::Failure;
use crate::stop::{Stop, await_hang_up, has_hung_up};
use model::Model;

/// How long another size of the terminal may wait until it is noticed.
const NOTICE: Duration = Duration::from_millis(100);

/// How long after the end of the terminal the view may take to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Draws until the user, a signal or the end of the terminal ends it. The terminal is as before afterwards, also after a panic.
pub(crate) fn run(interval: Duration) -> Result<(), Failure> {
    let failed = |error| Failure::system("watch: the terminal", &error);
    let stop = Stop::new().map_err(|error| Failure::system("watch: no signal handler", &error))?;
    // Before the terminal changes, so that its error is seen.
    let mut view = View::new(interval)?;
    let mut terminal = ratatui::try_init().map_err(failed)?;
    end_with_terminal().map_err(failed)?;
    let result = view.show(&mut terminal, &stop);
    // A terminal that is gone cannot be restored. ratatui would print that to it, and panic.
    let _ = terminal.show_cursor();
    let _ = ratatui::try_restore();
    mem::forget(terminal);
    if has_hung_up(io::stdin().as_fd()).is_ok_and(|is_gone| is_gone) { Ok(()) } else { result }
}

/// Ends the process soon after its terminal, if nothing else has. crossterm reads the end of a terminal again and
/// again, and a terminal may end right before it reads.
fn end_with_terminal() -> io::Result<()> {
    let watch = || {
        if await_hang_up(io::stdin().as_fd()).is_ok() {
            thread::sleep(LAST_WORDS);
            process::exit(0);
        }
    };
    thread::Builder::new().name("subflows-end".into()).spawn(watch).map(drop)
}

struct View {
    model: Model,
    interval: Duration,
    read_at: Instant,
    /// Why subflows are not shown, or could not be read.
    remark: Option<String>,
    table: TableState,
}

impl View {
    fn new(interval: Duration) -> Result<View, Failure> {
        let read_at = Instant::now();
        let table = TableState::default();
        let mut view = View { model: Model::new(), interval, read_at, remark: None, table };
        view.read()?;
        Ok(view)
    }

    fn read(&mut self) -> Result<(), Failure> {
        let options = ConnectionsOptions::new();
        let read = match subflows::connections(&options.clone().subflows(true)) {
            Err(error) if error.kind() == ErrorKind::NotPermitted => {
                self.remark = Some(format!("no subflows are shown: {error}"));
                subflows::connections(&options)?
            }
            read => read?,
        };
        let now = Instant::now();
        self.model.update(read, now.saturating_duration_since(self.read_at));
        self.read_at = now;
        Ok(())
    }

    fn show(&mut self, terminal: &mut DefaultTerminal, stop: &Stop) -> Result<(), Failure> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::from(error),
            _ => Failure::system("watch: the terminal", &error),
        };
        loop {
            let draw = |frame: &mut ratatui::Frame<'_>| {
                screen::draw(frame, &self.model, self.remark.as_deref(), &mut self.table);
            };
            terminal.draw(draw).map_err(failed)?;
            loop {
                let left = self.interval.saturating_sub(self.read_at.elapsed());
                let stdin = io::stdin();
                let has_ended = stop.wait(&[stdin.as_fd()], left.min(NOTICE)).map_err(failed)?;
                // crossterm would read the end of a terminal that is gone again and again.
                if has_ended || has_hung_up(stdin.as_fd()).map_err(failed)? {
                    return Ok(());
                }
                if left.is_zero() {
                    self.read()?;
                    break;
                }
                // Also without a key: the terminal may have another size.
                if event::poll(Duration::ZERO).map_err(failed)? {
                    match event::read().map_err(failed)? {
                        Event::Key(key) if key.kind != KeyEventKind::Release => {
                            let height = terminal.size().map_err(failed)?.height;
                            if self.press(key, height) {
                                return Ok(());
                            }
                        }
                        _ => {}
                    }
                    break;
                }
            }
        }
    }

    /// Does what a key asks for. Returns whether it ends the view.
    fn press(&mut self, key: KeyEvent, height: u16) -> bool {
        let page = isize::try_from(height / 2).unwrap_or(1);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Down | KeyCode::Char('j') => self.model.select(1),
            KeyCode::Up | KeyCode::Char('k') => self.model.select(-1),
            KeyCode::PageDown => self.model.select(page),
            KeyCode::PageUp => self.model.select(-page),
            KeyCode::Home => self.model.select(isize::MIN),
            KeyCode::End => self.model.select(isize::MAX),
            KeyCode::Char('s') => self.model.sort_by_next(),
            KeyCode::Char('r') => self.model.reverse(),
            _ => {}
        }
        false
    }
}
