/** Why something was refused, where a person just tried it. */
import { Alert, Text } from "@mantine/core";

export function Refused({
  words,
  said,
}: {
  readonly words: string | null;
  readonly said?: string | undefined;
}) {
  if (words === null) return null;
  return (
    <Alert color="red" variant="light" role="alert">
      {words}
      {said !== undefined && (
        <Text size="xs" c="dimmed" mt={4}>
          {said}
        </Text>
      )}
    </Alert>
  );
}
