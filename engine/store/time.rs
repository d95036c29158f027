//! What time it is for a database that several processes work: their own clocks may differ.

use super::dialect::Driver;
use super::{Store, StoreError, instant};
use crate::kernel::time::Instant;
use std::time::Duration;

/// An answer that took longer says too little.
const SLOW: Duration = Duration::from_secs(1);
/// So often it is asked for a quick answer.
const ATTEMPTS: usize = 3;

impl Store {
    /// The time that the server shows, to half the time of an answer; nothing where there is no server, or it answers slowly.
    pub async fn shown_time(&self) -> Result<Option<Instant>, StoreError> {
        let Ok(Driver::Postgres(pool)) = self.readers() else { return Ok(None) };
        for _ in 0..ATTEMPTS {
            let mut connection = pool.acquire().await?;
            let asked = std::time::Instant::now();
            let question = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
            let shown: i64 = sqlx::query_scalar(question).fetch_one(&mut *connection).await?;
            let took = asked.elapsed();
            if took < SLOW {
                return Ok(Some(instant(shown + took.as_millis() as i64 / 2)?));
            }
        }
        Ok(None)
    }
}
