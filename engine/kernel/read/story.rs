//! Files of rule tests. What stands in them is checked by playing them.

use super::gate;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::story::StoryFile;
use std::sync::Arc;

/// The stories of one file; nothing when its shape is wrong, which is added to `problems`.
pub fn read(path: &str, source: &str, problems: &mut Vec<Problem>) -> Option<StoryFile> {
    gate::shaped(&Arc::from(path), source, problems)
}
