//! Why a stage could not be made.

use crate::base::{Diagnostic, TableName};
use crate::engine::EngineError;
use crate::sql::BindError;

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("stage `{table}` ({at}): {cause}")]
    Engine {
        table: TableName,
        /// Its file; where the statement is at fault with line, column and expression, as far as they are known.
        at: String,
        /// The same, to be shown with the lines it is in.
        mistake: Option<Box<Diagnostic>>,
        #[source]
        cause: EngineError,
    },
    #[error("check `{check}` of `{table}`: {cause}")]
    Check {
        table: TableName,
        check: String,
        #[source]
        cause: EngineError,
    },
    #[error("stage `{table}` ({file}): {cause}")]
    Bind {
        table: TableName,
        file: String,
        #[source]
        cause: BindError,
    },
}

impl StageError {
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Engine { cause, .. } | Self::Check { cause, .. } => cause.is_transient(),
            Self::Bind { .. } => false,
        }
    }
}
