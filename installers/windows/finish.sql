-- What wixl cannot say, one statement a paragraph, run on the finished .msi by msibuild.

-- The data of this action holds code and password: 0x2000 keeps it out of the log.
UPDATE `CustomAction` SET `Type` = 11265 WHERE `Action` = 'Setup'

-- Run when the installation is taken back, and only then: 0x100.
UPDATE `CustomAction` SET `Type` = 3393 WHERE `Action` = 'Undo'

-- An upgrade that fails leaves the old version: it is removed inside the transaction.
UPDATE `InstallExecuteSequence` SET `Sequence` = 1501 WHERE `Action` = 'RemoveExistingProducts'

-- Another build of the same version replaces it too (0x200), or both would be listed, and removing one took the service of the other.
DELETE FROM `Upgrade` WHERE `ActionProperty` = 'WIX_UPGRADE_DETECTED'

INSERT INTO `Upgrade` (`UpgradeCode`, `VersionMax`, `Attributes`, `ActionProperty`) VALUES ('{6B0C5E1B-3B1F-4C55-9B0D-0E7B4B9C7F21}', '@VERSION@', 513, 'WIX_UPGRADE_DETECTED')

-- Without rights of its own the installer passes none of the properties on, and would install an agent that knows no receiver.
INSERT INTO `LaunchCondition` (`Condition`, `Description`) VALUES ('Installed OR NOT RestrictedUserControl', 'Start this from a terminal that was opened with Run as administrator: otherwise Windows leaves out CODE and FOLDER. Nothing was installed.')

-- The program by its name in every terminal.
CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)

INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) VALUES ('Path', '=-*PATH', '[~];[INSTALLDIR]', 'Agent')

INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('RemoveEnvironmentStrings', 3300)

INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('WriteEnvironmentStrings', 5200)

-- Before the files are gone, and not at an upgrade, whose new version takes the service over.
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('SetRemove', 'REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE', 3401)

INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Remove', 'REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE', 3402)

-- When the files are there; first what takes it back if the rest fails.
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('SetUndo', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 5901)

INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Undo', 'NOT Installed AND NOT WIX_UPGRADE_DETECTED', 5902)

INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('SetSetup', 'NOT REMOVE', 5903)

INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Setup', 'NOT REMOVE', 5904)
