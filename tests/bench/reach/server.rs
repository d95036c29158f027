//! PostgreSQL: actions from 32 callers, in groups, against one statement for each action over as many connections; and what a second
//! process adds. The server is one of our own, as it comes, on a real disk; its processor time is the machine's as well.

use super::{Error, NOW, command, filled, item, median, open, postgres};
use duban::kernel::model::value::Value;
use duban::store::Place;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

const CALLERS: usize = 32;
/// Items that one caller works on in turn.
const OWN: usize = 20;

pub async fn run(short: bool) -> Result<(), Error> {
    let (each, rounds) = if short { (20, 1) } else { (400, 5) };
    println!("postgres: {CALLERS} callers, fsync and synchronous_commit on");
    let server = postgres::Server::start();
    postgres::run(&server.url("postgres"), "create database prepared").await;
    filled(&server.url("prepared").parse()?, 4_000, 12_000, 50).await?;
    let (mut ours, mut bare, mut one, mut two) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut rows = None;
    for _ in 0..rounds {
        let url = fresh(&server).await?;
        ours.push(act(&url, 0, each, || Ok(())).await?);
        let rows = match &rows {
            Some(rows) => rows,
            None => rows.insert(Arc::new(taken(&url).await?)),
        };
        if rows.len() != CALLERS * each {
            return Err(format!("void: {} facts instead of {}", rows.len(), CALLERS * each).into());
        }
        bare.push(statements(&fresh(&server).await?, rows.clone()).await?);
        one.push(processes(&fresh(&server).await?, 1, each)?);
        two.push(processes(&fresh(&server).await?, 2, each)?);
    }
    let (ours, bare, one, two) = (median(&mut ours), median(&mut bare), median(&mut one), median(&mut two));
    println!("  ratio {:.2} (bar 1.5): in groups {ours:.0} actions/s, one statement for each {bare:.0}/s", ours / bare);
    println!("  a second process: {two:.0} actions/s against {one:.0}/s of one, {:.2} times", two / one);
    println!(
        "  {}",
        json!({ "bench": "postgres", "callers": CALLERS, "groups": ours, "one_statement": bare, "ratio": ours / bare, "one_process": one, "two_processes": two, "gain": two / one })
    );
    Ok(())
}

/// An office of its own for each run.
async fn fresh(server: &postgres::Server) -> Result<String, Error> {
    postgres::run(&server.url("postgres"), "drop database if exists run").await;
    postgres::run(&server.url("postgres"), "create database run template prepared").await;
    Ok(server.url("run"))
}

/// Actions a second of one process; it begins when `go` has returned.
pub async fn act(url: &str, first: usize, each: usize, go: impl FnOnce() -> Result<(), Error>) -> Result<f64, Error> {
    let app = open(&url.parse::<Place>()?, NOW.parse()?).await?;
    go()?;
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for caller in first..first + CALLERS {
        let app = app.clone();
        tasks.spawn(async move {
            for n in 0..each {
                let asking =
                    command(&item(caller * OWN + n % OWN), n, "ask_back", "carl", ("question", Value::text("Which road is meant?")));
                app.act(&asking).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let rate = (CALLERS * each) as f64 / started.elapsed().as_secs_f64();
    app.store.clone().close().await;
    Ok(rate)
}

/// Processes at work on one database at the same time: the sum of their rates.
fn processes(url: &str, count: usize, each: usize) -> Result<f64, Error> {
    let mut all = Vec::new();
    for nth in 0..count {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--acting", url, &(nth * CALLERS).to_string(), &each.to_string()]);
        all.push(Process(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?));
    }
    let mut answers = Vec::new();
    for process in &mut all {
        let mut answer = BufReader::new(process.0.stdout.take().ok_or("no output")?);
        answer.read_line(&mut String::new())?;
        answers.push(answer);
    }
    for process in &mut all {
        process.0.stdin.take().ok_or("no input")?.write_all(b"go\n")?;
    }
    let mut sum = 0.0;
    for mut answer in answers {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        sum += line.trim().parse::<f64>()?;
    }
    for process in &mut all {
        process.0.wait()?;
    }
    Ok(sum)
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless something failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One of several processes: it says when it is ready, waits to be told, and says its rate.
pub async fn acting(arguments: &[String]) -> Result<(), Error> {
    let [url, first, each] = arguments else { return Err("--acting URL FIRST EACH".into()) };
    let go = || {
        println!("ready");
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    };
    println!("{}", act(url, first.parse()?, each.parse()?, go).await?);
    Ok(())
}

type Row = (String, i64, String, String, String, String, String, String, i64, String, String, String, String, i64);

/// The rows of every action, in their order by item.
async fn taken(url: &str) -> Result<Vec<Row>, Error> {
    let mut connection = PgConnection::connect(url).await?;
    let rows = sqlx::query_as(
        "select f.item, f.seq, f.json, f.hash, n.key, n.notice, n.person, n.json, n.not_before, c.id, c.request_hash, c.answer, i.search, c.done_at
        from fact f join notice n on n.item = f.item and n.seq = f.seq join command c on c.item = f.item and c.id = f.json::jsonb #>> '{cause,id}'
            join item i on i.id = f.item order by f.item, f.seq",
    );
    let rows = rows.fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows)
}

/// Actions a second when each is one statement of its own, over as many connections.
async fn statements(url: &str, rows: Arc<Vec<Row>>) -> Result<f64, Error> {
    let mut shares = vec![Vec::new(); CALLERS];
    for (place, row) in rows.iter().enumerate() {
        let number: usize = row.0.parse::<usize>()? - super::FIRST;
        shares[number / OWN].push(place);
    }
    let mut ready = Vec::new();
    for share in shares {
        ready.push((share, PgConnection::connect(url).await?));
    }
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for (share, mut connection) in ready {
        let rows = rows.clone();
        tasks.spawn(async move {
            for place in share {
                let (item, seq, json, hash, key, notice, person, notice_json, not_before, id, request_hash, answer, search, at) = &rows[place];
                let done = sqlx::query(
                    "with moved as (update item set rev = $2, head = $4, search = $13, changed_at = $14, quarantine = null, retries = 0, leased_until = null
                            where jurisdiction = 'local' and id = $1 and rev = $2 - 1 returning id),
                        told as (insert into notice (jurisdiction, key, item, seq, workflow, notice, kind, person, not_before, bundle, status, json)
                            select 'local', $5, id, $2, 'request', $6, 'message', $7, $9, '', 'ready', $8 from moved),
                        answered as (insert into command (jurisdiction, actor, id, request_hash, answer, item, done_at)
                            select 'local', 'carl', $10, $11, $12, id, $14 from moved)
                    insert into fact (jurisdiction, item, seq, json, cause_key, hash) select 'local', id, $2, $3, null, $4 from moved",
                )
                .bind(item).bind(seq).bind(json).bind(hash).bind(key).bind(notice).bind(person).bind(notice_json).bind(not_before).bind(id)
                .bind(request_hash).bind(answer).bind(search).bind(at)
                .execute(&mut connection)
                .await?;
                if done.rows_affected() != 1 {
                    return Err("void: the revision had moved".into());
                }
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(rows.len() as f64 / started.elapsed().as_secs_f64())
}
