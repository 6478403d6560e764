# Source this file from csh or tcsh: `source bin/activate.csh`.

alias deactivate 'test $?_WADERS_OLD_PATH != 0 && setenv PATH "$_WADERS_OLD_PATH" && unset _WADERS_OLD_PATH; rehash; test $?_WADERS_OLD_PROMPT != 0 && set prompt = "$_WADERS_OLD_PROMPT" && unset _WADERS_OLD_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; test "\!:*" != "nondestructive" && unalias deactivate'

# Leaves an environment that is active already.
deactivate nondestructive

setenv VIRTUAL_ENV @ROOT@
setenv VIRTUAL_ENV_PROMPT @PROMPT@

set _WADERS_OLD_PATH = "$PATH"
setenv PATH "${VIRTUAL_ENV}/bin:${PATH}"

if ( ! $?VIRTUAL_ENV_DISABLE_PROMPT && $?prompt ) then
    set _WADERS_OLD_PROMPT = "$prompt"
    set prompt = "(${VIRTUAL_ENV_PROMPT}) $prompt"
endif

rehash
