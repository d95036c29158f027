//! `duban rollback`: back to rules that were in use before, planned and published like any others. Their texts come out of the database.

use super::office::{Office, Stop, via, wait_for};
use super::plan::Wished;
use super::{Context, exit, plan, publish};
use crate::app::{PlanWishes, Publisher};
use clap::Args;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban rollback, and then duban publish --plan FILE; or at once: duban rollback --yes --as PERSON")]
pub struct RollbackArgs {
    /// Which rules: the beginning of their hash, as duban rules shows it (default: those in use before the present ones)
    #[arg(long, value_name = "HASH")]
    pub to: Option<String>,
    #[command(flatten)]
    pub wished: Wished,
    /// Publish at once, unless something stands in the way
    #[arg(long)]
    pub yes: bool,
    /// Who publishes: a person of the directory
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<String>,
}

pub fn run(args: &RollbackArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let office = if args.yes { Office::to_write_as_it_is(context).await? } else { Office::to_read(context).await? };
        let by = args.person.as_ref().map(|person| office.person(person)).transpose()?;
        let code = back(&office, args, Publisher { by, via: via(), approve: false }, context).await;
        office.close().await;
        code
    })
}

async fn back(office: &Office, args: &RollbackArgs, who: Publisher, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let published = office.app.store.published().await.map_err(|error| Stop::store(lang, &error))?;
    let in_use = published.last().map(|one| one.hash.clone()).unwrap_or_default();
    let earlier = published.iter().rev().map(|one| one.hash.as_str()).filter(|hash| *hash != in_use);
    let target = match &args.to {
        None => earlier.into_iter().next().ok_or_else(|| Stop::new(exit::POLICY, lang, "rollback.none", &[]))?,
        Some(wanted) => {
            let mut fitting: Vec<&str> = earlier.filter(|hash| hash.starts_with(wanted.as_str())).collect();
            fitting.sort_unstable();
            fitting.dedup();
            match fitting[..] {
                [one] => one,
                _ => return Err(Stop::usage(lang, "rollback.unknown", &[("hash", wanted)]).into()),
            }
        }
    };
    let new = publish::stored(office, target, lang).await?;
    let choices = plan::choices(&args.wished, &new, lang)?;
    let wishes = PlanWishes { allow_overdue: args.wished.allow_overdue, choices, back: true, ..PlanWishes::default() };
    let made = plan::make(office, &new, &wishes, context).await?;
    let file = plan::keep(&made, args.wished.out.as_deref(), lang)?;
    let publishes = args.yes && !made.is_blocked();
    if !(publishes && context.json) {
        plan::show(&made, &office.app.rules(), &new, Some(&file), args.wished.detail, context);
    }
    if made.is_blocked() {
        return Ok(exit::POLICY);
    }
    if publishes {
        let done = publish::publish(office, &made, who, context).await?;
        publish::tell(&done, &made, context);
    }
    Ok(exit::DONE)
}
