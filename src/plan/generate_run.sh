# Runs a command and copies what it was declared to write to the output of the step.
# Arguments: the working directory; the files for standard output and standard error, or nothing; which outputs must exist; three lines
# for each output: `file` or `directory`, its path, and its path in the output; directories to create; the command.
workdir=$1 stdout=$2 stderr=$3 required=$4 outputs=$5 caches=$6
shift 6
cd /src || exit
mkdir -p "./$workdir" || exit
printf '%s' "$caches" | while IFS= read -r directory; do mkdir -p "./$directory" || exit; done
for file in "$stdout" "$stderr"; do
    case $file in */*) mkdir -p "./${file%/*}" || exit ;; esac
done
cd "./$workdir" || exit
exec 3>&1 4>&2
if [ -n "$stdout" ]; then exec >"/src/$stdout" || exit; fi
if [ -n "$stderr" ]; then exec 2>"/src/$stderr" || exit; fi
# A shell handles signals only while it waits for a process in the background.
trap 'exit 130' INT TERM
"$@" <&0 3>&- 4>&- &
wait $!
code=$?
trap - INT TERM
exec >&3 2>&4 3>&- 4>&-
if [ -n "$stdout" ]; then cat "/src/$stdout"; fi
if [ -n "$stderr" ]; then cat "/src/$stderr" >&2; fi
if [ "$code" -ne 0 ]; then exit "$code"; fi

# Inputs are as old as 1980.
touch -d 1990-01-01 /tmp/.written-after || exit
list_written() {
    for path in "$1"/* "$1"/.[!.]*; do
        if [ -d "$path" ] && [ ! -h "$path" ]; then
            list_written "$path"
        elif [ "$path" -nt /tmp/.written-after ]; then
            printf '%s\n' "${path#/src/}"
        fi
    done
}
printf '%s' "$outputs" | {
    found=0 missing=0 names=
    while IFS= read -r kind && IFS= read -r from && IFS= read -r to; do
        if [ -d "/src/$from" ] && [ ! -h "/src/$from" ]; then
            mkdir -p "/out/$to" && cp -R -P -p "/src/$from/." "/out/$to/" || exit
            found=1
        elif [ -e "/src/$from" ] || [ -h "/src/$from" ]; then
            case $to in */*) mkdir -p "/out/${to%/*}" || exit ;; esac
            cp -P -p "/src/$from" "/out/$to" || exit
            found=1
        else
            missing=1 names="$names, the $kind \`$from\`"
        fi
    done
    case $required:$missing:$found in
    all:0:* | any:*:1 | any:0:* | none:* | warn-*:0:* | warn-any:*:1) exit 0 ;;
    esac
    case $required in warn-*) printf 'warning: ' >&2 ;; esac
    echo "the command succeeded, but did not write ${names#, }" >&2
    written=$(list_written /src | head -n 10)
    if [ -n "$written" ]; then
        printf 'files that it wrote:\n%s\n' "$written" >&2
    else
        echo 'it wrote no files' >&2
    fi
    case $required in warn-*) exit 0 ;; esac
    exit 1
}
