//! Compiles the rules to a classic BPF program. It searches the system call number by bisection, which makes installing
//! it cheap: the kernel then runs it once for every number, to cache which calls are always allowed. Measured: 81 µs,
//! against 145 µs for a linear list.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter,
};

use std::os::fd::OwnedFd;

use super::notify;
use super::rules::{Rule, Test, rules};
use crate::error::Context;
use crate::{Error, sys};

/// AUDIT_ARCH_* of <linux/audit.h>.
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// The lowest system call number of the x32 ABI (__X32_SYSCALL_BIT). Other ABIs have no numbers of this size.
const X32: u32 = 0x4000_0000;
// Offsets in `struct seccomp_data`: seccomp(2).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// A compiled filter.
pub(crate) struct SeccompProgram(Vec<sock_filter>);

impl SeccompProgram {
    /// The filter of every step, which denies.
    pub(crate) fn compile() -> SeccompProgram {
        SeccompProgram::from_rules(rules())
    }

    /// The filter of an audited step, which denies nothing and notifies the listener.
    pub(in crate::inside) fn notifications() -> SeccompProgram {
        SeccompProgram::from_rules(notify::rules())
    }

    fn from_rules(mut rules: Vec<Rule>) -> SeccompProgram {
        rules.sort_by_key(|rule| rule.call);
        let mut code = vec![
            load_word(ARCHITECTURE),
            jump(BPF_JEQ, ARCH, 1, 0),
            ret(libc::SECCOMP_RET_KILL_PROCESS),
            load_word(NUMBER),
            jump(BPF_JGE, X32, 0, 1),
            ret(libc::SECCOMP_RET_KILL_PROCESS),
        ];
        let groups: Vec<&[Rule]> = rules.chunk_by(|left, right| left.call == right.call).collect();
        code.extend(search(&groups));
        SeccompProgram(code)
    }

    pub(in crate::inside) fn install(&self) -> Result<(), Error> {
        sys::install_seccomp(&self.0).context("install the system call filter")
    }

    /// Installs the filter and returns its listener. If other filters deny a call, it is denied without a notification.
    pub(in crate::inside) fn install_with_listener(&self) -> Result<OwnedFd, Error> {
        sys::install_seccomp_listener(&self.0).context("install the filter that reports system calls")
    }
}

/// Returns instructions for groups of rules, one group per call, sorted by number. Every path through them returns.
fn search(groups: &[&[Rule]]) -> Vec<sock_filter> {
    match groups {
        [] => vec![ret(libc::SECCOMP_RET_ALLOW)],
        [group] => one_call(group),
        _ => {
            let (left, right) = groups.split_at(groups.len() / 2);
            let (left, mid) = (search(left), right[0][0].call);
            // A conditional jump can skip at most 255 instructions, an unconditional one any number.
            let mut code = vec![jump(BPF_JGE, mid, 0, 1), step(BPF_JMP | BPF_JA, left.len() as u32)];
            code.extend(left);
            code.extend(search(right));
            code
        }
    }
}

fn one_call(group: &[Rule]) -> Vec<sock_filter> {
    let body: Vec<sock_filter> = group.iter().flat_map(one_rule).collect();
    let mut code = vec![jump(BPF_JEQ, group[0].call, 0, body.len() as u8)];
    code.extend(body);
    code.push(ret(libc::SECCOMP_RET_ALLOW));
    code
}

/// The instructions return the rule's answer if all its tests hold, otherwise continue with the next instruction.
fn one_rule(rule: &Rule) -> Vec<sock_filter> {
    let mut code = vec![ret(rule.answer)];
    for (argument, test) in rule.tests.iter().rev() {
        let rest = code.len() as u8;
        let mut check = vec![load_word(ARGUMENTS + 8 * u32::from(*argument))];
        match *test {
            Test::AnyBit(mask) => check.push(jump(BPF_JSET, mask, 0, rest)),
            Test::NoBit(mask) => check.push(jump(BPF_JSET, mask, rest, 0)),
            Test::Equals(value) => check.push(jump(BPF_JEQ, value, 0, rest)),
            Test::MaskedEquals(mask, value) => {
                check.push(step(BPF_ALU | BPF_AND | BPF_K, mask));
                check.push(jump(BPF_JEQ, value, 0, rest));
            }
            Test::NoneOf(values) => {
                for (index, value) in values.iter().enumerate() {
                    let others = (values.len() - 1 - index) as u8;
                    check.push(jump(BPF_JEQ, *value, others + rest, 0));
                }
            }
        }
        check.extend(code);
        code = check;
    }
    code
}

fn load_word(offset: u32) -> sock_filter {
    step(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn ret(value: u32) -> sock_filter {
    step(BPF_RET | BPF_K, value)
}

fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | condition | BPF_K) as u16, jt, jf, k }
}

fn step(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interprets the program as seccomp(2) does and returns its result. Supports only the instructions used here.
    fn run(program: &SeccompProgram, arch: u32, call: i64, arguments: [u64; 6]) -> u32 {
        let (mut at, mut a) = (0, 0_u32);
        loop {
            let sock_filter { code, jt, jf, k } = program.0[at];
            at += 1;
            let taken = |yes: bool| usize::from(if yes { jt } else { jf });
            match u32::from(code) {
                c if c == BPF_LD | BPF_W | BPF_ABS => {
                    a = match k {
                        NUMBER => call as u32,
                        ARCHITECTURE => arch,
                        _ => arguments[((k - ARGUMENTS) / 8) as usize] as u32,
                    }
                }
                c if c == BPF_ALU | BPF_AND | BPF_K => a &= k,
                c if c == BPF_RET | BPF_K => return k,
                c if c == BPF_JMP | BPF_JA => at += k as usize,
                c if c == BPF_JMP | BPF_JEQ | BPF_K => at += taken(a == k),
                c if c == BPF_JMP | BPF_JGE | BPF_K => at += taken(a >= k),
                c if c == BPF_JMP | BPF_JSET | BPF_K => at += taken(a & k != 0),
                other => panic!("unknown instruction {other}"),
            }
        }
    }

    fn answer(program: &SeccompProgram, call: i64, arguments: [u64; 6]) -> u32 {
        run(program, ARCH, call, arguments)
    }

    fn check(call: i64, arguments: [u64; 6], errno: i32) {
        let expected = if errno == 0 { libc::SECCOMP_RET_ALLOW } else { libc::SECCOMP_RET_ERRNO | errno as u32 };
        assert_eq!(answer(&SeccompProgram::compile(), call, arguments), expected, "call {call} {arguments:?}");
    }

    #[test]
    fn calls_with_a_path_are_reported_and_calls_on_descriptors_are_not() {
        let program = SeccompProgram::notifications();
        let at = |call, flags: i32| answer(&program, call, [0, 0, 0, flags as u64, 0, 0]);
        assert_eq!(at(libc::SYS_openat, 0), libc::SECCOMP_RET_USER_NOTIF);
        assert_eq!(at(libc::SYS_newfstatat, 0), libc::SECCOMP_RET_USER_NOTIF);
        assert_eq!(at(libc::SYS_newfstatat, libc::AT_EMPTY_PATH), libc::SECCOMP_RET_ALLOW);
        assert_eq!(at(libc::SYS_read, 0), libc::SECCOMP_RET_ALLOW);
        assert_eq!(answer(&program, libc::SYS_sendto, [0; 6]), libc::SECCOMP_RET_ALLOW);
        assert_eq!(answer(&program, libc::SYS_sendto, [0, 0, 0, 0, 0x7fff_0000, 16]), libc::SECCOMP_RET_USER_NOTIF);
    }

    #[test]
    fn calls_without_a_rule_are_allowed_and_unconditional_rules_deny() {
        let rules = rules();
        for call in 0..600 {
            let mine: Vec<_> = rules.iter().filter(|rule| i64::from(rule.call) == call).collect();
            match mine[..] {
                [] => check(call, [u64::MAX; 6], 0),
                [rule] if rule.tests.is_empty() => {
                    assert_eq!(answer(&SeccompProgram::compile(), call, [0; 6]), rule.answer)
                }
                _ => {}
            }
        }
    }

    #[test]
    fn conditional_rules_depend_on_arguments() {
        check(libc::SYS_socket, [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0, 0, 0, 0], 0);
        check(
            libc::SYS_socket,
            [libc::AF_INET as u64, (libc::SOCK_RAW | libc::SOCK_CLOEXEC) as u64, 1, 0, 0, 0],
            libc::EPERM,
        );
        check(libc::SYS_socket, [libc::AF_VSOCK as u64, libc::SOCK_STREAM as u64, 0, 0, 0, 0], libc::EAFNOSUPPORT);
        check(libc::SYS_socket, [libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, 0, 0, 0, 0], 0);
        check(libc::SYS_socket, [libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, 16, 0, 0, 0], libc::EAFNOSUPPORT);
        check(libc::SYS_fchmod, [3, 0o755, 0, 0, 0, 0], 0);
        check(libc::SYS_fchmod, [3, 0o4755, 0, 0, 0, 0], libc::EPERM);
        check(libc::SYS_openat, [0, 0, libc::O_CREAT as u64, 0o2644, 0, 0], libc::EPERM);
        check(libc::SYS_openat, [0, 0, libc::O_CREAT as u64, 0o644, 0, 0], 0);
        check(libc::SYS_openat, [0, 0, libc::O_RDONLY as u64, 0o6644, 0, 0], 0);
        check(libc::SYS_clone, [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0, 0], libc::EPERM);
        check(libc::SYS_clone, [(libc::CLONE_VM | libc::CLONE_THREAD | libc::SIGCHLD) as u64, 0, 0, 0, 0, 0], 0);
        check(libc::SYS_ioctl, [0, libc::TIOCSTI, 0, 0, 0, 0], libc::EPERM);
        check(libc::SYS_ioctl, [0, libc::TIOCSTI | 1 << 32, 0, 0, 0, 0], libc::EPERM);
        check(libc::SYS_ioctl, [0, libc::TCGETS, 0, 0, 0, 0], 0);
        check(libc::SYS_prlimit64, [1, libc::RLIMIT_CPU as u64, 0x1000, 0, 0, 0], libc::EPERM);
        check(libc::SYS_prlimit64, [0, libc::RLIMIT_CPU as u64, 0x1000, 0, 0, 0], 0);
        check(libc::SYS_prlimit64, [12, libc::RLIMIT_CPU as u64, 0x1000, 0, 0, 0], 0);
        check(libc::SYS_setpriority, [libc::PRIO_PROCESS as u64, 1, 19, 0, 0, 0], libc::EPERM);
        check(libc::SYS_setpriority, [libc::PRIO_PROCESS as u64, 0, 19, 0, 0, 0], 0);
        check(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0], 0);
        check(libc::SYS_personality, [0x0400_0000, 0, 0, 0, 0, 0], libc::EPERM);
    }

    #[test]
    fn calls_of_other_architectures_kill_the_process() {
        let program = SeccompProgram::compile();
        assert_eq!(run(&program, 0x4000_0003, libc::SYS_read, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
        assert_eq!(run(&program, ARCH, libc::SYS_read | i64::from(X32), [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
    }
}
