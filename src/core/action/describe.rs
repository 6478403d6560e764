//! What a step's key is computed from, as lines that people can compare. The key itself is in `key`.

use crate::action::command::Command;
use crate::action::key::Inputs;
use crate::action::platform::Platform;
use crate::action::step::Derive;
use crate::base::Digest;

/// One line for each argument, variable, input and property of the platform.
pub fn action(command: &Command, inputs: &Inputs, platform: &Platform) -> Vec<String> {
    // Destructured, so that a new field cannot be left out.
    let Command { argv, env, cwd, input_root: _, images: _, outputs_at, network, terminal } = command;
    let mut lines: Vec<String> = argv.iter().map(|word| format!("argument {word}")).collect();
    lines.extend(env.iter().map(|(name, value)| format!("variable {name}={value}")));
    lines.push(format!("working directory {cwd}"));
    lines.push(format!("sources {}", inputs.root));
    lines.extend(inputs.images.iter().map(|(at, tree)| format!("image {at} {tree}")));
    lines.extend(outputs_at.iter().map(|(at, dir)| format!("output {at} {dir}")));
    lines.push(format!("network {network}"));
    lines.push(format!("terminal {terminal}"));
    lines.extend(platform.properties().into_iter().map(|(name, value)| format!("platform {name}={value}")));
    lines
}

/// One line for each argument of the function that derives a tree.
pub fn derivation(step: &Derive, parts: &[Digest]) -> Vec<String> {
    let mut lines = vec![format!("function {}", step.recipe)];
    lines.extend(step.parameters.iter().map(|parameter| format!("parameter {parameter}")));
    lines.extend(parts.iter().map(|part| format!("tree {part}")));
    lines
}
