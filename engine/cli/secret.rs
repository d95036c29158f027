//! A password from whoever sits at the terminal, who does not see it, or from standard input. It is never an argument, which others could read.

use super::exit;
use super::office::Stop;
use crate::kernel::words::{Lang, say};
use std::io::{self, BufRead, IsTerminal, Read};

/// More than any password.
const LONGEST: u64 = 4096;

/// The first line of standard input; on a terminal it is asked for, twice.
pub fn read(lang: Lang) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        return Ok(line()?);
    }
    let first = asked(lang, "account.ask")?;
    match first == asked(lang, "account.ask_again")? {
        true => Ok(first),
        false => Err(Stop::new(exit::USAGE, lang, "account.differ", &[]).into()),
    }
}

fn asked(lang: Lang, key: &str) -> anyhow::Result<String> {
    anstream::eprint!("{}", say(lang, key, &[]));
    let silence = Silence::begin()?;
    let typed = line();
    drop(silence);
    anstream::eprintln!();
    Ok(typed?)
}

fn line() -> io::Result<String> {
    let mut typed = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut typed)?;
    Ok(typed.trim_end_matches(['\r', '\n']).to_string())
}

/// While it lives the terminal shows nothing of what is typed.
#[cfg(unix)]
struct Silence(rustix::termios::Termios);

#[cfg(unix)]
impl Silence {
    fn begin() -> io::Result<Silence> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Silence(before))
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        // Nobody is left to be told that the terminal has gone.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

/// Elsewhere nothing is asked for where it would be seen: it is piped in.
#[cfg(not(unix))]
struct Silence;

#[cfg(not(unix))]
impl Silence {
    fn begin() -> io::Result<Silence> {
        Err(io::Error::other("this terminal cannot be silenced; pipe the password in"))
    }
}
