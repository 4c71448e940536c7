//! A product that changed, split between its factors: what more of one factor costs at the price of the larger side, and what
//! another price costs on the amount that both sides have. Exact, and the same with its sides exchanged but for the sign.

/// From `amount × price` of one side to that of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    /// By the amount.
    pub(super) amount: f64,
    /// By the price.
    pub(super) price: f64,
}

/// Splits `to.0 × to.1 − from.0 × from.1`.
pub(super) fn change(from: (f64, f64), to: (f64, f64)) -> Change {
    let (larger, smaller) = if to.0 >= from.0 { (to, from) } else { (from, to) };
    Change { amount: (to.0 - from.0) * larger.1, price: (to.1 - from.1) * smaller.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_bytes_at_one_price_are_all_amount() {
        assert_eq!(change((1.0, 2.0), (2.0, 2.0)), Change { amount: 2.0, price: 0.0 });
    }

    #[test]
    fn little_work_at_a_bad_price_does_not_blow_up_the_amount() {
        // An attention over 1 position against one over 1000: the dear first position is not charged a thousand times.
        let found = change((1.0, 50.0), (1000.0, 2.0));
        assert_eq!(found, Change { amount: 1998.0, price: -48.0 });
    }

    #[test]
    fn sides_exchanged_change_the_sign_alone() {
        let (one, other) = (change((3.0, 5.0), (7.0, 2.0)), change((7.0, 2.0), (3.0, 5.0)));
        assert_eq!((one.amount, one.price), (-other.amount, -other.price));
        assert_eq!(one.amount + one.price, 14.0 - 15.0);
    }
}
