# Sourced by setup, demo and check: the options they share, and steps that show
# progress, keep their output in a file and print its end when they fail.

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=release
build_dir=
run_setup=1
with_models=
[ "${CI:-}" != true ] || with_models=1
arguments=() # what is not an option

shared_options='  --preset NAME     CMake preset: release (default), debug or sanitize
  --build-dir DIR   build folder (default: the preset'\''s own, build or build-NAME)
  --models          with PyTorch, for the tests of exported models (always in CI)
  --no-setup        use the build folder as it is'

# read_options "$@": sets preset, build_dir, run_setup and arguments.
read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --preset) preset=${2:?--preset expects a name}; shift 2 ;;
      --build-dir) build_dir=${2:?--build-dir expects a folder}; shift 2 ;;
      --models) with_models=1; shift ;;
      --no-setup) run_setup=; shift ;;
      -h | --help) usage; exit 0 ;;
      -*) echo "unknown option $1" >&2; usage >&2; exit 2 ;;
      *) arguments+=("$1"); shift ;;
    esac
  done
  if [ -z "$build_dir" ]; then
    build_dir=$source_dir/build
    [ "$preset" = release ] || build_dir=$source_dir/build-$preset
  fi
  mkdir -p "$build_dir"
  build_dir=$(cd "$build_dir" && pwd)
  log_dir=$build_dir/logs
  mkdir -p "$log_dir"
}

# The preparation that demo and check begin with.
prepare() {
  [ -n "$run_setup" ] || return 0
  "$source_dir/tools/setup" --preset "$preset" --build-dir "$build_dir" \
    ${with_models:+--models}
}

# step NAME "what it does" COMMAND...: runs the command with its output in
# logs/NAME.log; prints the last line of it now and then.
step() {
  local name=$1 title=$2 log=$log_dir/$1.log
  shift 2
  local begin=$SECONDS status=0 shown=0 last
  printf '== %s\n' "$title"
  "$@" >"$log" 2>&1 </dev/null &
  local pid=$!
  while kill -0 $pid 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - begin)) -ge $((shown + 15)) ]; then
      shown=$((SECONDS - begin))
      last=$(tail -n 1 "$log" | tr '\r' '\n' | tail -n 1 | cut -c 1-100)
      printf '   %4d s  %s\n' $shown "$last"
    fi
  done
  wait $pid || status=$?
  if [ $status -ne 0 ]; then
    printf '== failed after %d s: %s\n' $((SECONDS - begin)) "$title"
    tail -n 40 "$log" | sed 's/^/   | /'
    printf '   all of it: %s\n' "$log"
    return $status
  fi
  printf '   done in %d s\n' $((SECONDS - begin))
}
