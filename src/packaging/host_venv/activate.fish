# Source this file from fish: `source bin/activate.fish`.

function deactivate -d "Leave the virtual environment"
    if set -q _WADERS_OLD_PATH
        set -gx PATH $_WADERS_OLD_PATH
        set -e _WADERS_OLD_PATH
    end
    if set -q _WADERS_OLD_PYTHONHOME
        set -gx PYTHONHOME $_WADERS_OLD_PYTHONHOME
        set -e _WADERS_OLD_PYTHONHOME
    end
    if set -q _WADERS_FISH_PROMPT
        functions -e fish_prompt
        functions -c _waders_fish_prompt fish_prompt
        functions -e _waders_fish_prompt
        set -e _WADERS_FISH_PROMPT
    end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != nondestructive
        functions -e deactivate
    end
end

# Leaves an environment that is active already.
deactivate nondestructive

set -gx VIRTUAL_ENV @ROOT@
set -gx VIRTUAL_ENV_PROMPT @PROMPT@
set -gx _WADERS_OLD_PATH $PATH
set -gx PATH "$VIRTUAL_ENV/bin" $PATH

if set -q PYTHONHOME
    set -gx _WADERS_OLD_PYTHONHOME $PYTHONHOME
    set -e PYTHONHOME
end

if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
    set -g _WADERS_FISH_PROMPT 1
    functions -c fish_prompt _waders_fish_prompt
    function fish_prompt
        printf '(%s) ' $VIRTUAL_ENV_PROMPT
        _waders_fish_prompt
    end
end
