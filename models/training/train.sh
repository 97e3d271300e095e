# shellcheck shell=bash
# A part of ./dev: sets up and runs the training of the detector.

# What training needs, in a folder of its own beside Debian's torch; another torch on the path of TRAIN_PYTHON is taken
# instead, with CUDA where it has it.
need_training() {
  local stamp=$TOOLS/train/.stamp state
  state=$(sha256sum models/training/requirements.txt | cut -d ' ' -f 1)
  if [[ $(cat "$stamp" 2>/dev/null) == "$state" ]]; then
    step "Training: as in models/training/requirements.txt."
    return
  fi
  need_packages python3-torch python3-venv
  step "Training: fetching numpy, OpenCV, ONNX (about 90 MB)."
  quietly train-venv "the folder for training could not be made" "read the lines above, then run ./dev again." \
    /usr/bin/python3 -m venv --clear --system-site-packages "$TOOLS/train"
  quietly train-pip "what training needs could not be fetched" \
    "check the network and pip's configuration (pip config list), then run ./dev again." \
    "$TOOLS/train/bin/python" -m pip install --only-binary=:all: --requirement models/training/requirements.txt
  echo "$state" >"$stamp"
}

# Options of ./dev train.
train_options() {
  minutes=60 data=../shared/data/train
  while (($# > 0)); do
    case $1 in
      --minutes) minutes=${2:-} ;;
      --data) data=${2:-} ;;
      *) die "train does not know '$1'." "write --minutes M or --data FOLDER." ;;
    esac
    shift 2 || die "'$1' takes a value." "write for example: ./dev train --minutes 60."
  done
  [[ -f $data/sources.json ]] || die "there are no pictures in $data." \
    "give a folder by --data; models/README.md says how it is laid out."
}

# Stopped at any time (Ctrl-C), it goes on with the next call; done, it begins anew from the weights it made.
train() {
  local minutes data python=${TRAIN_PYTHON:-$TOOLS/train/bin/python} out=$TOOLS/training drawn=$TOOLS/training/drawn
  local teacher more=()
  train_options "$@"
  teacher=$data/../models/yolox_nano.onnx
  setup_demo
  [[ -n ${TRAIN_PYTHON:-} ]] || need_training
  data=$(realpath "$data") out=$(realpath -m "$out")
  if [[ ! -f $drawn/sources.json ]]; then
    step "Training: drawing streets."
    quietly train-build "Vọng Lâu does not compile" "correct what the lines above name." cargo build --release --locked
    "$TARGET/release/vonglau" sim --pictures "$drawn" --seed 1000 >&2
  fi
  run_python() { (cd models/training && "$python" -B -u -m "$@" >&2); }
  if [[ -f $teacher ]]; then
    step "Training: what the teacher sees (kept in $out/teacher.json)."
    run_python street.teacher --data "$data" --model "$(realpath "$teacher")" --out "$out/teacher.json"
    more=(--teacher "$out/teacher.json")
  fi
  step "Training for $minutes minutes; the curve is $out/run/curve.csv."
  more+=(--start "$PWD/models/training/street.npz")
  run_python street.train --data "$data" --data "$drawn" --out "$out/run" --minutes "$minutes" "${more[@]}"
  step "Scores on held-out pictures."
  run_python street.evaluate --data "$data" --data "$drawn" --weights "$out/run/weights.npz"
  run_python street.export --weights "$out/run/weights.npz" --out "$out/street.onnx" --licence Apache-2.0
  say "Trained: $out/street.onnx, $out/run/weights.npz. To ship them: copy them to models/street.onnx and"
  say "models/training/street.npz, write the file's SHA-256 into models/street.toml, run ./dev bench model and"
  say "bring models/README.md up to date. To begin anew from them: delete $out/run."
}
