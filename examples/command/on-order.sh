# Gets the event as JSON on standard input, and two arguments from it.
event=$(cat)
case $event in
*'"total"'*)
  echo "order $1 of $2: attempt $MILLRACE_ATTEMPT" >>orders.txt
  ;;
*)
  echo "order $1 has no total" >&2
  exit 65 # never try again: dead letter
  ;;
esac
