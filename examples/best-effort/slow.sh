# Stands for somebody who does not answer, until the file "open" is there.
while [ ! -e open ]; do sleep 0.1; done
echo "event $1" >>mirrored.txt
