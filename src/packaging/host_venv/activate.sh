# Source this file from sh, bash or zsh: `. bin/activate`.

deactivate () {
    if [ -n "${_WADERS_OLD_PATH+set}" ]; then
        PATH="$_WADERS_OLD_PATH"
        export PATH
        unset _WADERS_OLD_PATH
    fi
    if [ -n "${_WADERS_OLD_PYTHONHOME+set}" ]; then
        PYTHONHOME="$_WADERS_OLD_PYTHONHOME"
        export PYTHONHOME
        unset _WADERS_OLD_PYTHONHOME
    fi
    if [ -n "${_WADERS_OLD_PS1+set}" ]; then
        PS1="$_WADERS_OLD_PS1"
        export PS1
        unset _WADERS_OLD_PS1
    fi
    # The shell may remember where it found commands.
    hash -r 2>/dev/null
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    if [ "${1-}" != nondestructive ]; then
        unset -f deactivate
    fi
}

# Leaves an environment that is active already.
deactivate nondestructive

VIRTUAL_ENV=@ROOT@
export VIRTUAL_ENV
VIRTUAL_ENV_PROMPT=@PROMPT@
export VIRTUAL_ENV_PROMPT

_WADERS_OLD_PATH="$PATH"
PATH="$VIRTUAL_ENV/bin:$PATH"
export PATH

if [ -n "${PYTHONHOME+set}" ]; then
    _WADERS_OLD_PYTHONHOME="$PYTHONHOME"
    unset PYTHONHOME
fi

if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ]; then
    _WADERS_OLD_PS1="${PS1-}"
    PS1="($VIRTUAL_ENV_PROMPT) ${PS1-}"
    export PS1
fi

hash -r 2>/dev/null || true
