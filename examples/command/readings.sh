# Prints three readings and ends. MILLRACE_CURSOR is the last one that was stored.
n=${MILLRACE_CURSOR:-0}
for _ in 1 2 3; do
  n=$((n + 1))
  echo "{\"reading\":$n,\"at\":\"$n\"}"
done
