//! What failures of the world have in common, wherever they are met.

use std::error::Error;
use std::io::{self, ErrorKind};

/// Whether a disk without room is the cause, however deep it is said. It does not pass by waiting a little.
pub fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>()
            && (matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
                || io.get_ref().is_some_and(|inner| is_disk_full(inner)))
        {
            return true;
        }
        cause = one.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_however_deep_it_is_said() {
        let full = io::Error::from(ErrorKind::StorageFull);
        assert!(is_disk_full(&io::Error::other(io::Error::other(full))));
        assert!(is_disk_full(&io::Error::from_raw_os_error(28)));
        assert!(!is_disk_full(&io::Error::other("the disk is full, somebody says")));
    }
}
