//! A mail server for benches, this program again in a process of its own: it accepts everything and stores nothing, so that what is measured
//! is the client. Beside it the least that a client can do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Starts it; gives its port. It ends with its standard input.
pub fn start() -> std::io::Result<(Child, u16)> {
    let mut process = Command::new(std::env::current_exe()?).arg("--sink").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().ok_or_else(|| std::io::Error::other("the sink says nothing"))?).read_line(&mut line)?;
    let port = line.trim().parse().map_err(std::io::Error::other)?;
    Ok((process, port))
}

/// Mails a second of the least that a client can do: one write and one read for each of MAIL, RCPT, DATA and the message.
pub fn send_bare(port: u16, bytes: &[u8], mails: u32) -> std::io::Result<f64> {
    let mut writer = TcpStream::connect(("127.0.0.1", port))?;
    writer.set_nodelay(true)?;
    let mut reader = BufReader::new(writer.try_clone()?);
    let mut answer = String::new();
    let mut ask = |question: &[u8], code: &str| -> std::io::Result<()> {
        writer.write_all(question)?;
        loop {
            answer.clear();
            reader.read_line(&mut answer)?;
            if !answer.starts_with(code) {
                return Err(std::io::Error::other(answer.clone()));
            }
            if answer.as_bytes().get(3) == Some(&b' ') {
                return Ok(());
            }
        }
    };
    ask(b"", "220")?;
    ask(b"EHLO bench\r\n", "250")?;
    let message = [bytes, b".\r\n"].concat();
    let started = Instant::now();
    for _ in 0..mails {
        ask(b"MAIL FROM:<duban@example.org>\r\n", "250")?;
        ask(b"RCPT TO:<zhang@example.org>\r\n", "250")?;
        ask(b"DATA\r\n", "354")?;
        ask(&message, "250")?;
    }
    Ok(f64::from(mails) / started.elapsed().as_secs_f64())
}

/// Answers whatever it is told, a thread a connection, until its standard input is closed.
pub fn run() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection ends when the client has had enough.
            std::thread::spawn(move || serve(stream).ok());
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn serve(mut writer: TcpStream) -> std::io::Result<()> {
    writer.set_nodelay(true)?;
    let mut reader = BufReader::new(writer.try_clone()?);
    writer.write_all(b"220 sink\r\n")?;
    let (mut line, mut in_data) = (Vec::new(), false);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match (in_data, &line[..]) {
            (true, b".\r\n") => {
                in_data = false;
                b"250 ok\r\n"
            }
            (true, _) => continue,
            (false, b"DATA\r\n") => {
                in_data = true;
                b"354 go on\r\n"
            }
            (false, _) => b"250 ok\r\n",
        };
        writer.write_all(answer)?;
    }
}
