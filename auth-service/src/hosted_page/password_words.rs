//! What the pages about passwords say.

use super::words::Around;
use crate::password::Weakness;

/// The words of one language.
pub(super) struct PasswordWords {
    pub(super) title: &'static str,
    pub(super) rule: &'static str,
    pub(super) password: &'static str,
    pub(super) password_again: &'static str,
    pub(super) set: &'static str,
    pub(super) ends_sessions: &'static str,
    pub(super) done: &'static str,
    pub(super) done_hint: Around,
    pub(super) over: &'static str,
    pub(super) over_hint: &'static str,
    pub(super) differs: &'static str,
    too_short: &'static str,
    too_long: &'static str,
    contains_username: &'static str,
    contains_service: &'static str,
    repeats: &'static str,
    sequence: &'static str,
    common: &'static str,
    breached: &'static str,
}

impl PasswordWords {
    pub(super) const fn weak(&self, weakness: Weakness) -> &'static str {
        match weakness {
            Weakness::TooShort => self.too_short,
            Weakness::TooLong => self.too_long,
            Weakness::ContainsUsername => self.contains_username,
            Weakness::ContainsServiceName => self.contains_service,
            Weakness::Repeats => self.repeats,
            Weakness::Sequence => self.sequence,
            Weakness::Common => self.common,
            Weakness::Breached => self.breached,
        }
    }
}

pub(super) static ENGLISH: PasswordWords = PasswordWords {
    title: "Choose a password",
    rule: "At least 15 characters. Several words that only you would put together are good; digits and signs are not needed.",
    password: "New password",
    password_again: "New password, once more",
    set: "Set password",
    ends_sessions: "Wherever you are signed in, you will be signed out.",
    done: "Your password is set",
    done_hint: ("Go back to where you wanted to sign in, and sign in as ", "."),
    over: "This link does not work any more",
    over_hint: "It was used already, it is more than a day old, or a newer one was made. Ask whoever gave it to you for another.",
    differs: "The two passwords are not the same.",
    too_short: "Use at least 15 characters.",
    too_long: "That is longer than a password may be.",
    contains_username: "Leave your user name out of it.",
    contains_service: "Leave the name of this service out of it.",
    repeats: "It repeats the same few characters. Use several different words.",
    sequence: "It runs along the keyboard or the alphabet. Use several different words.",
    common: "It is made of passwords that many people use. Use several different words.",
    breached: "It is known from a breach somewhere else. Use another one.",
};

pub(super) static KOREAN: PasswordWords = PasswordWords {
    title: "비밀번호 설정",
    rule: "15자 이상이어야 합니다. 나만 떠올릴 수 있는 여러 단어를 이어 쓰면 좋습니다. 숫자나 기호는 없어도 됩니다.",
    password: "새 비밀번호",
    password_again: "새 비밀번호 확인",
    set: "비밀번호 설정",
    ends_sessions: "설정하면 로그인되어 있는 모든 곳에서 로그아웃됩니다.",
    done: "비밀번호가 설정되었습니다",
    done_hint: ("로그인하려던 곳으로 돌아가 ", " 계정으로 로그인하세요."),
    over: "더 이상 사용할 수 없는 링크입니다",
    over_hint: "이미 사용했거나, 하루가 지났거나, 새 링크가 발급되었습니다. 링크를 준 사람에게 새 링크를 요청하세요.",
    differs: "두 비밀번호가 서로 다릅니다.",
    too_short: "15자 이상 입력하세요.",
    too_long: "비밀번호가 너무 깁니다.",
    contains_username: "비밀번호에 사용자 이름을 넣지 마세요.",
    contains_service: "비밀번호에 이 서비스의 이름을 넣지 마세요.",
    repeats: "같은 문자가 반복됩니다. 서로 다른 단어를 여러 개 사용하세요.",
    sequence: "키보드나 알파벳 순서로 이어집니다. 서로 다른 단어를 여러 개 사용하세요.",
    common: "많은 사람이 쓰는 비밀번호로 이루어져 있습니다. 서로 다른 단어를 여러 개 사용하세요.",
    breached: "다른 곳에서 유출된 적이 있는 비밀번호입니다. 다른 비밀번호를 사용하세요.",
};
